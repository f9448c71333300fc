/** A service asks in its own name (RFC 6749, section 4.4): by a signature, a token of its platform, or a secret. */

import { OAuthError } from '../oauth/errors.ts'
import { required } from '../oauth/form.ts'
import type { GrantType, OAuthDeps, TokenAnswer, TokenRequest } from '../oauth/grant-type.ts'
import { admitWorkload, refused } from './admit.ts'
import { admitByKey, claimsService } from './own-key.ts'
import { admitBySecret } from './secrets.ts'

const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export const clientCredentials: GrantType = async (deps, asked) => {
  const { form, headers } = asked
  const ways = [form.has('client_assertion'), form.has('client_secret'), headers.authorization !== undefined]
  if (ways.filter(Boolean).length !== 1)
    throw new OAuthError('invalid_client', 'Prove who you are in one way: client_assertion, or client_secret.')
  if (form.has('client_assertion')) return byAssertion(deps, asked)
  const { id, secret } = headers.authorization === undefined ? posted(asked) : basic(headers.authorization)
  return admitBySecret(deps, { asked, service: id, secret })
}

async function byAssertion(deps: OAuthDeps, asked: TokenRequest): Promise<TokenAnswer> {
  const { form } = asked
  const assertion = required(form, 'client_assertion')
  if (form.get('client_assertion_type') !== jwtBearer)
    throw new OAuthError('invalid_client', `The client_assertion_type is ${jwtBearer}.`)
  const { services } = (await deps.configurations.current(deps.db)).declared
  const service = ofOwnKey(() => claimsService(services, assertion))
  if (!service) return admitWorkload(deps, { asked, token: assertion, code: 'invalid_client' })
  if ((form.get('client_id') ?? service.id) !== service.id)
    throw new OAuthError('invalid_client', 'The client_id is not whom the assertion is of.')
  const publicUrl = deps.publicUrl()
  return admitByKey(deps, { asked, assertion, service, audiences: [publicUrl, `${publicUrl}/oauth/token`] })
}

function ofOwnKey<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw refused('invalid_client', error)
  }
}

type Shown = { readonly id: string; readonly secret: string }

const posted = ({ form }: TokenRequest): Shown => ({
  id: required(form, 'client_id'),
  secret: required(form, 'client_secret'),
})

/** Section 2.3.1: both are encoded as in a form before they are joined. */
function basic(header: string): Shown {
  const [, encoded] = /^Basic ([A-Za-z0-9+/]+=*)$/.exec(header) ?? []
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 1) throw new OAuthError('invalid_client', 'Send the service and its secret as Basic credentials.')
  return { id: formDecoded(text.slice(0, colon)), secret: formDecoded(text.slice(colon + 1)) }
}

const formDecoded = (text: string): string => new URLSearchParams(`x=${text.replaceAll('&', '%26')}`).get('x') ?? ''
