import { OAuthError } from './errors.ts'
import type { Form } from './form.ts'

/** RFC 9449, section 10: what is asked for is good for the holder of this key alone. `undefined`: it is not said which. */
export function readThumbprint(form: Form): string | undefined {
  const thumbprint = form.get('dpop_jkt')
  if (thumbprint === undefined || /^[A-Za-z0-9_-]{43}$/.test(thumbprint)) return thumbprint
  throw new OAuthError('invalid_request', 'dpop_jkt is not the SHA-256 thumbprint of a key.')
}
