/** What a command line sends a browser with, and what the browser brings back (RFC 6749, section 4.1; RFC 8252). */

import { after } from '@tidegate/core'
import type { LoginId } from '@tidegate/core'
import type { Unit } from '../../store/change.ts'
import { instantParam } from '../../store/database.ts'
import { identityLimits } from '../limits.ts'
import { hashToken } from '../tokens.ts'
import { commandLineId } from './clients.ts'
import type { Demand } from './demand.ts'
import { demandParameters, readDemand } from './demand.ts'
import type { OAuthErrorCode } from './errors.ts'
import { OAuthError } from './errors.ts'
import type { Form } from './form.ts'
import { readForm } from './form.ts'
import { readThumbprint } from './thumbprint.ts'

export const authorizePath = '/oauth/authorize'

type Back = { readonly redirectUri: string; readonly state?: string }

export type Authorization = Back & {
  readonly challenge: string
  readonly keyThumbprint?: string
  /** Absent: that they are signed in is enough. */
  readonly demand?: Demand
}

/**
 * Where it goes wrong before it is known whom it would go back to, people are told; afterwards the program that asked.
 */
export type Asked =
  | { readonly is: 'good'; readonly authorization: Authorization }
  | { readonly is: 'refused'; readonly back: Back; readonly error: string }
  | { readonly is: 'not-ours' }

export function readAuthorization(sent: URLSearchParams): Asked {
  const form = readOnce(sent)
  const redirectUri = form?.get('redirect_uri')
  if (form?.get('client_id') !== commandLineId || redirectUri === undefined || !isOwnMachine(redirectUri))
    return { is: 'not-ours' }
  const state = form.get('state')
  const back = { redirectUri, ...(state !== undefined && { state }) }
  if (state !== undefined && !/^[\x20-\x7e]{1,200}$/.test(state))
    return { is: 'refused', back: { redirectUri }, error: 'invalid_request' }
  const error = refusalOf(form)
  if (error !== undefined) return { is: 'refused', back, error }
  const keyThumbprint = readThumbprint(form)
  const demand = readDemand(form)
  const challenge = form.get('code_challenge') as string
  const more = { ...(keyThumbprint !== undefined && { keyThumbprint }), ...(demand && { demand }) }
  return { is: 'good', authorization: { ...back, challenge, ...more } }
}

/** The same, as a client sends it. */
export function authorizationParameters(authorization: Authorization): Record<string, string> {
  const { redirectUri, state, challenge, keyThumbprint, demand } = authorization
  return {
    client_id: commandLineId,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...(state !== undefined && { state }),
    ...(keyThumbprint !== undefined && { dpop_jkt: keyThumbprint }),
    ...(demand && demandParameters(demand)),
  }
}

function readOnce(sent: URLSearchParams): Form | undefined {
  try {
    return readForm(sent)
  } catch {
    return undefined
  }
}

function refusalOf(form: Form): OAuthErrorCode | 'unsupported_response_type' | undefined {
  if (form.get('response_type') !== 'code') return 'unsupported_response_type'
  if ((form.get('response_mode') ?? 'query') !== 'query') return 'invalid_request'
  if (form.get('code_challenge_method') !== 'S256') return 'invalid_request'
  if (!/^[A-Za-z0-9_-]{43}$/.test(form.get('code_challenge') ?? '')) return 'invalid_request'
  try {
    readThumbprint(form)
    readDemand(form)
  } catch (error) {
    if (error instanceof OAuthError) return error.code
    throw error
  }
  return undefined
}

/** RFC 8252, section 7.3: a port of the machine itself, by its number and not by a name that could lead elsewhere. */
const isOwnMachine = (uri: string): boolean =>
  /^http:\/\/(127\.0\.0\.1|\[::1\]):[1-9]\d{0,4}\/callback$/.test(uri) && URL.canParse(uri)

type Allowed = { readonly authorization: Authorization; readonly login: LoginId }

/** @returns the code */
export async function issueCode(unit: Unit, { authorization, login }: Allowed): Promise<string> {
  const { tx, now, runtime } = unit
  const { redirectUri, challenge, keyThumbprint } = authorization
  const code = `tdc_${Buffer.from(runtime.random(32)).toString('base64url')}`
  await tx
    .insertInto('authorizationCode')
    .values({
      hash: hashToken(code),
      redirectUri,
      challenge,
      keyThumbprint: keyThumbprint ?? null,
      allowedBy: login,
      endsAt: instantParam(after(now, identityLimits.authorizationCode)),
      spentAt: null,
      login: null,
    })
    .execute()
  return code
}

type Said = { readonly code: string } | { readonly error: string }

/** With who says it (RFC 9207), so that no other server's answer is taken for ours. */
export function backTo({ redirectUri, state }: Back, said: Said, issuer: string): string {
  const url = new URL(redirectUri)
  for (const [name, value] of Object.entries(said)) url.searchParams.set(name, value)
  if (state !== undefined) url.searchParams.set('state', state)
  url.searchParams.set('iss', issuer)
  return url.href
}
