/** What comes to the endpoints of RFC 6749: parameters that are there once, and are absent where they are empty. */

import { OAuthError } from './errors.ts'

export type Form = ReadonlyMap<string, string>

/** @throws {OAuthError} where a parameter stands more than once: nobody could say which is meant */
export function readForm(sent: URLSearchParams): Form {
  const names = [...sent.keys()]
  if (new Set(names).size < names.length)
    throw new OAuthError('invalid_request', 'A parameter is there more than once.')
  return new Map([...sent].filter(([, value]) => value !== ''))
}

/** @throws {OAuthError} where it is missing */
export function required(form: Form, name: string): string {
  const value = form.get(name)
  if (value === undefined) throw new OAuthError('invalid_request', `The parameter ${name} is missing.`)
  return value
}
