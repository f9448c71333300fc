/** A service that proved who it is gets a login, and what is refused of it is said in the same words to everyone. */

import type { Authentication, Instant, Millis } from '@tidegate/core'
import { earlier } from '@tidegate/core'
import type { Unit } from '../../store/change.ts'
import { change } from '../../store/change.ts'
import { beginMachineLogin } from '../machines/machine-logins.ts'
import type { Proof } from '../machines/proof.ts'
import { ruleFingerprint } from '../machines/proof.ts'
import { OAuthError } from '../oauth/errors.ts'
import type { OAuthDeps, TokenAnswer, TokenRequest } from '../oauth/grant-type.ts'
import { findPrincipal } from '../principals.ts'
import { recordRefusal } from '../refusals.ts'
import { spendToken } from '../spent-tokens.ts'
import type { Trusted, Workload } from './workload-token.ts'
import { readWorkloadToken, trustedAs } from './workload-token.ts'

export type Admission = {
  readonly service: string
  readonly proof: Proof
  readonly authentication: Pick<Authentication, 'method' | 'at' | 'run'>
  readonly lasts: Millis
  readonly noLongerThan?: Instant
}

/** @returns `undefined`: the service is not there */
export async function admit(
  { configurations, findPrincipals }: OAuthDeps,
  unit: Unit,
  { asked, admission }: { readonly asked: TokenRequest; readonly admission: Admission },
): Promise<TokenAnswer | undefined> {
  const { tx, now } = unit
  const snapshot = await configurations.current(tx)
  const ref = { kind: 'service', id: admission.service } as const
  const principal = await findPrincipal(findPrincipals, tx, { snapshot, ref, now })
  if (principal?.kind !== 'service') return undefined
  const { proof, lasts, noLongerThan, authentication } = admission
  const { keyThumbprint } = asked
  const login = await beginMachineLogin(unit, {
    principal,
    proof,
    lasts,
    authentication: { mfa: false, phishingResistant: false, ...authentication, at: earlier(authentication.at, now) },
    address: asked.client.address,
    ...(noLongerThan !== undefined && { noLongerThan }),
    ...(keyThumbprint !== undefined && { keyThumbprint }),
  })
  return answerOf(login, { now, keyThumbprint })
}

type Bound = { readonly now: Instant; readonly keyThumbprint: string | undefined }

export const answerOf = (
  { token, endsAt }: { readonly token: string; readonly endsAt: Instant },
  { now, keyThumbprint }: Bound,
): TokenAnswer => ({
  access_token: token,
  token_type: keyThumbprint === undefined ? 'Bearer' : 'DPoP',
  expires_in: Math.floor((endsAt - now) / 1_000),
})

/** Why a token that its issuer did make for us is refused. Whoever sent it is not told. */
type Cause = 'untrusted' | 'several' | 'reused' | 'not-there'

type Showing = {
  readonly asked: TokenRequest
  readonly token: string
  readonly code: 'invalid_grant' | 'invalid_client'
}

/** @throws {OAuthError} of this code, for whatever is wrong with it */
export async function admitWorkload(deps: OAuthDeps, { asked, token, code }: Showing): Promise<TokenAnswer> {
  const { db, runtime, configurations, issuerKeys } = deps
  const now = runtime.now()
  const snapshot = await configurations.current(db)
  const workload = await readWorkloadToken(token, { snapshot, keys: issuerKeys, now }).catch((error: unknown) => {
    throw refused(code, error)
  })
  const wanted = asked.form.get('client_id')
  const candidates = trustedAs(snapshot, workload).filter(({ service }) => (wanted ?? service.id) === service.id)
  // Returned rather than thrown: that it was shown has to be kept.
  const outcome = await change(deps, async (unit) => {
    const [trusted, another] = candidates
    if (!trusted) return refuse(unit, { workload, asked, cause: 'untrusted' })
    if (another) return refuse(unit, { workload, asked, cause: 'several' })
    if (!(await spend(unit, workload))) return refuse(unit, { workload, asked, cause: 'reused' })
    const admission = admissionOf(trusted, workload, ruleFingerprint(snapshot, trusted.rule))
    return (await admit(deps, unit, { asked, admission })) ?? refuse(unit, { workload, asked, cause: 'not-there' })
  })
  if ('refused' in outcome) throw refused(code, new Error(`The token is refused: ${outcome.refused}.`))
  return outcome
}

/** In the same words, whatever it is: what exactly goes to the process log, and where it is signed to the audit log. */
export function refused(code: Showing['code'], error: unknown): OAuthError {
  const said = new OAuthError(
    code,
    'Nobody whom configuration trusts: the issuer, audience, times, signature or claims are others, or it was used before.',
  )
  // Errors of the library carry what the token says: of them only what they are about.
  const { name, message } = error instanceof Error ? error : new Error('unknown')
  said.cause = new Error(`${name}: ${message}`)
  return said
}

const spend = ({ tx }: Unit, { issuer, tokenId, usableUntil }: Workload): Promise<boolean> =>
  spendToken(tx, { name: ['workload', issuer.issuer, ...tokenId], until: usableUntil })

const admissionOf = ({ service, rule }: Trusted, workload: Workload, fingerprint: string): Admission => ({
  service: service.id,
  proof: { by: 'federation', rule: fingerprint, subject: workload.subject },
  authentication: {
    method: 'federation',
    at: workload.issuedAt,
    ...(rule.boundTo === 'run' && workload.run !== undefined && { run: workload.run }),
  },
  lasts: rule.lasts,
})

type Refusing = { readonly workload: Workload; readonly asked: TokenRequest; readonly cause: Cause }

async function refuse(unit: Unit, { workload, asked, cause }: Refusing): Promise<{ readonly refused: Cause }> {
  const source = workload.issuer.id
  const subject = workload.subject.slice(0, 500)
  const { address } = asked.client
  const fields = { issuer: source, cause, subject, address }
  await recordRefusal(unit, { type: 'machine-login.refused', source, cause, subject, address, fields })
  return { refused: cause }
}
