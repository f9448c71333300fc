/**
 * RFC 8693: one token for another. What a platform gave to a workload becomes a service's login here, and what someone
 * holds of ours becomes a token of an agent that acts for them.
 */

import { change } from '../../store/change.ts'
import { delegate } from '../agents/delegate.ts'
import type { Caller } from '../identity.ts'
import { identityLimits } from '../limits.ts'
import { callerByAccessToken } from '../oauth/access-identity.ts'
import { OAuthError } from '../oauth/errors.ts'
import { required } from '../oauth/form.ts'
import type { GrantType, OAuthDeps, TokenAnswer, TokenRequest } from '../oauth/grant-type.ts'
import { admitWorkload, answerOf } from '../services/admit.ts'
import { createTokenIdentity } from '../tokens.ts'
import { callerByMachineToken } from './machine-identity.ts'

export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'
const workloadTypes = ['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token']

export const tokenExchange: GrantType = async (deps, asked) => {
  const { form } = asked
  const token = required(form, 'subject_token')
  const type = required(form, 'subject_token_type')
  checkWanted(deps, asked)
  const answer = workloadTypes.includes(type)
    ? await admitWorkload(deps, { asked, token, code: 'invalid_grant' })
    : await forAgent(deps, asked, { token, type })
  return { ...answer, issued_token_type: accessTokenType }
}

/** What would be given anyway may be asked for; anything else is not given in silence. */
function checkWanted({ publicUrl }: OAuthDeps, { form }: TokenRequest): void {
  if ((form.get('requested_token_type') ?? accessTokenType) !== accessTokenType)
    throw new OAuthError('invalid_request', `The requested_token_type is ${accessTokenType}, or left out.`)
  for (const name of ['audience', 'resource'])
    if ((form.get(name) ?? publicUrl()) !== publicUrl())
      throw new OAuthError('invalid_target', `Tokens are for ${publicUrl()} and nobody else.`)
  if (form.has('scope')) throw new OAuthError('invalid_scope', 'There are no scopes: policy says who may what.')
}

type Subject = { readonly token: string; readonly type: string }

async function forAgent(deps: OAuthDeps, asked: TokenRequest, { token, type }: Subject): Promise<TokenAnswer> {
  if (type !== accessTokenType)
    throw new OAuthError('invalid_request', 'The subject_token_type is a jwt, an id_token or an access_token.')
  const { keyThumbprint, client } = asked
  const by = await callerBy(deps, asked, token)
  const agent = await agentOf(deps, asked)
  const wanted = { agent, lasts: identityLimits.machineLoginUsual, address: client.address }
  const bound = keyThumbprint === undefined ? {} : { keyThumbprint }
  const made = by && (await change(deps, (unit) => delegate(deps, unit, { ...wanted, ...bound, by })))
  if (!made) throw new OAuthError('invalid_grant', 'The token is not known, or no such agent acts for whom it is of.')
  return answerOf(made, { now: deps.runtime.now(), keyThumbprint })
}

/** What is bound to a key counts with a proof of that key, which came with this request. */
async function callerBy(deps: OAuthDeps, { keyThumbprint }: TokenRequest, token: string): Promise<Caller | undefined> {
  if (token.startsWith('tdm_')) {
    // What is bound to none may be had made into something that is.
    return (await callerByMachineToken(deps, { token, keyThumbprint })) ?? callerByMachineToken(deps, { token })
  }
  if (token.startsWith('tda_')) return callerByAccessToken(deps, { token, keyThumbprint })
  const headers = { authorization: `Bearer ${token}` }
  const known = await createTokenIdentity(deps).authenticate({ method: 'POST', url: '', headers })
  return known && 'principal' in known.caller ? known.caller : undefined
}

/** The client of an exchange is the agent: named, or known by a token of its own. */
async function agentOf(deps: OAuthDeps, asked: TokenRequest): Promise<string> {
  const { form } = asked
  const token = form.get('actor_token')
  if (token === undefined) return required(form, 'client_id')
  if (form.get('actor_token_type') !== accessTokenType)
    throw new OAuthError('invalid_request', `The actor_token_type is ${accessTokenType}.`)
  const actor = await callerBy(deps, asked, token)
  if (actor?.principal.kind !== 'agent' || (form.get('client_id') ?? actor.principal.id) !== actor.principal.id)
    throw new OAuthError('invalid_grant', 'The actor_token is not known, or not of this agent.')
  return actor.principal.id
}
