/** Who may ask for tokens in the name of a person: our own command line, and nobody else. */

import { OAuthError } from './errors.ts'
import type { TokenRequest } from './grant-type.ts'

/** A public client: anyone can take its name. What it gets is bound to a key, and a person has to allow it. */
export const commandLineId = 'tidegate-cli'

/** @throws {OAuthError} `invalid_client` */
export function checkCommandLine({ form, headers }: Pick<TokenRequest, 'form' | 'headers'>): void {
  const saysSecret = headers.authorization !== undefined || form.has('client_secret')
  if (saysSecret || form.get('client_id') !== commandLineId)
    throw new OAuthError('invalid_client', `The client is ${commandLineId}, which has no secret.`)
}

/** @throws {OAuthError} `invalid_dpop_proof`: a command line is given nothing that others could use */
export function checkKey({ keyThumbprint }: Pick<TokenRequest, 'keyThumbprint'>): string {
  if (keyThumbprint === undefined)
    throw new OAuthError('invalid_dpop_proof', 'Send a DPoP proof: tokens are bound to a key here.')
  return keyThumbprint
}
