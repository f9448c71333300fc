/** Accounts of Tidegate itself: made by whoever has the invitation, and signed in to by passkey, or by password and code. */

import type { Authentication, Instant, Millis } from '@tidegate/core'
import { after } from '@tidegate/core'
import type { DeclaredIdentity } from '../../configuration/schema.ts'
import type { Lifecycle } from '../../lifecycle/context.ts'
import type { MasterKey } from '../../secrets/envelope.ts'
import type { Unit } from '../../store/change.ts'
import { instantParam } from '../../store/database.ts'
import { openChallenge, useChallenge } from '../factors/challenge.ts'
import { forgetFactors } from '../factors/factors.ts'
import { beginGuess } from '../factors/guesses.ts'
import type { Place } from '../factors/passkeys.ts'
import { addPasskey, checkPasskey } from '../factors/passkeys.ts'
import { makeRecoveryCodes, noLoginYet, sayWhichLogin, takeRecoveryCode } from '../factors/recovery-codes.ts'
import { guesserOf, recordRecovery } from '../factors/step-up.ts'
import { putTotp, stepOf, takeTotp } from '../factors/totp.ts'
import type { Client } from '../logins/logins.ts'
import { beginLogin, endLogins } from '../logins/logins.ts'
import { localSource } from '../logins/sources.ts'
import { findPrincipal } from '../principals.ts'
import { recordRefusal } from '../refusals.ts'
import { hashToken } from '../tokens.ts'
import { lockInvitation, useInvitation } from './invitations.ts'
import type { PasswordProof } from './password-proof.ts'

/** `problem`: what to do about it. Absent: nothing is told that whoever guesses could use. */
export type Refused = { readonly refused: 'wrong' | 'wait'; readonly until?: Instant; readonly problem?: string }
export type Entered = { readonly secret: string; readonly endsAt: Instant; readonly codes?: readonly string[] }

type Deps = Pick<Lifecycle, 'configurations' | 'findPrincipals'> & { readonly key: MasterKey }
type Coming = { readonly client: Client; readonly before?: string }

/** What the ceremonies of an invitation's page are about. */
export const aboutInvitation = (secret: string): string => `invitation:${hashToken(secret).toString('hex')}`

/** What the sign-in page's are: whoever it is. */
export const aboutSignIn = 'sign-in'

export type Joining = Coming & {
  /** Of the invitation. */
  readonly secret: string
  readonly sealed: string
  readonly by:
    | { readonly passkey: { readonly place: Place; readonly answer: string } }
    /** `hashed` while no change was open: it takes long. */
    | { readonly hashed: string; readonly code: string }
}

/** The account begins anew: what someone signed in with here before counts no longer, and their logins are over. */
export async function join(deps: Deps, unit: Unit, joining: Joining): Promise<Entered | Refused> {
  const { tx, now } = unit
  const user = await lockInvitation(unit, joining.secret)
  const identity = user === undefined ? undefined : await identityFor(deps, unit, user)
  if (user === undefined || !identity) return { refused: 'wrong' }
  const made = await prepare(unit, user, { ...joining, key: deps.key, identity })
  if (!made || 'refused' in made) return made ?? { refused: 'wrong' }
  // Not before, so that a slip of the hand does not use it up.
  await useInvitation(unit, joining.secret)
  const { authentication, password = null, passkey, keep } = made
  await forgetFactors(unit, user, { because: 'invited', ...(passkey !== undefined && { except: passkey }) })
  await endLogins(unit, { user }, { reason: 'replaced' })
  await keep?.()
  await tx
    .insertInto('localAccount')
    .values({ userId: user, password, joinedAt: instantParam(now) })
    .execute()
  const { method } = authentication
  const fields = { method, principal: `user:${user}`, address: joining.client.address }
  unit.record({ type: 'account.joined', at: now, fields })
  const codes = await makeRecoveryCodes(unit, user)
  return { ...(await enter(unit, { user, identity, authentication, ...joining })), codes }
}

type Made = {
  readonly authentication: Authentication
  /** That was added for it. */
  readonly passkey?: string
  readonly password?: string
  /** What is written once the rest is gone. */
  readonly keep?: () => Promise<void>
}

type Preparing = Joining & { readonly key: MasterKey; readonly identity: DeclaredIdentity }

/** Everything is checked before anything is taken away. */
async function prepare(unit: Unit, user: string, given: Preparing): Promise<Made | Refused | undefined> {
  const { by, sealed, secret, key, identity } = given
  const { now } = unit
  const purpose = 'passkey' in by ? 'passkey-new' : 'totp-new'
  const challenge = openChallenge(sealed, { purpose, about: aboutInvitation(secret), key, now })
  if (!challenge) return undefined
  if ('passkey' in by) {
    if (!(await useChallenge(unit, challenge))) return undefined
    const answered = { ...by.passkey, challenge: challenge.secret }
    const passkey = await addPasskey(unit, { user, name: 'First passkey', ...answered })
    return passkey === undefined ? undefined : { authentication: byPasskey(now), passkey }
  }
  if (identity.local?.passwords !== 'allowed') return undefined
  const step = stepOf(challenge.secret, by.code, now)
  if (step === undefined) return { refused: 'wrong', problem: 'The code is not the one that your app shows now.' }
  const keep = (): Promise<void> => putTotp(unit, { user, secret: challenge.secret, step, key })
  return { authentication: byPassword(now), password: by.hashed, keep }
}

const byPasskey = (at: Instant): Authentication => ({ method: 'passkey', mfa: true, phishingResistant: true, at })
const byPassword = (at: Instant): Authentication => ({ method: 'password', mfa: true, phishingResistant: false, at })

/** Whoever is there, and active, and while configuration has accounts at all. */
async function identityFor(
  { configurations, findPrincipals }: Deps,
  { tx, now }: Unit,
  user: string,
): Promise<DeclaredIdentity | undefined> {
  const snapshot = await configurations.current(tx)
  const { identity } = snapshot.declared
  const ref = { kind: 'user', id: user } as const
  return identity.local && (await findPrincipal(findPrincipals, tx, { snapshot, ref, now })) ? identity : undefined
}

export type ByPasskey = Coming & { readonly place: Place; readonly sealed: string; readonly answer: string }

export async function signInByPasskey(deps: Deps, unit: Unit, given: ByPasskey): Promise<Entered | Refused> {
  const { place, sealed, answer, client } = given
  const { tx, now } = unit
  const challenge = openChallenge(sealed, { purpose: 'passkey', about: aboutSignIn, key: deps.key, now })
  if (!challenge || !(await useChallenge(unit, challenge))) return refuse(unit, client, { cause: 'challenge' })
  const checked = await checkPasskey(unit, { place, challenge: challenge.secret, answer })
  if ('refused' in checked) return refuse(unit, client, { cause: checked.refused, user: checked.user })
  const { user } = checked
  // A passkey is a second factor of who signs in elsewhere, and no way around it.
  const account = await tx.selectFrom('localAccount').select('userId').where('userId', '=', user).executeTakeFirst()
  const identity = account && (await identityFor(deps, unit, user))
  if (!identity) return refuse(unit, client, { cause: 'no-account', user })
  return enter(unit, { user, identity, authentication: byPasskey(now), ...given })
}

export type ByPassword = Coming & { readonly user: string; readonly proof: PasswordProof; readonly code: string }

/** The same answer, by the same statements, whether there is such an account or not. */
export async function signInByPassword(deps: Deps, unit: Unit, given: ByPassword): Promise<Entered | Refused> {
  const { user, proof, code, client } = given
  const { tx, now } = unit
  if ('waitUntil' in proof) return hold(unit, client, proof.waitUntil)
  const guess = await beginGuess(unit, guesserOf(user, client.address))
  if ('waitUntil' in guess) return hold(unit, client, guess.waitUntil)
  const account = await tx.selectFrom('localAccount').selectAll().where('userId', '=', user).executeTakeFirst()
  const known = proof.right && account?.password === proof.against
  const identity = known ? await identityFor(deps, unit, user) : undefined
  const taken = identity?.local?.passwords === 'allowed' ? await takeCode(unit, deps, { user, code }) : undefined
  await guess.settle(taken !== undefined)
  if (!identity || !taken) return refuse(unit, client, { cause: 'wrong', user: account?.userId })
  const entered = await enter(unit, { ...given, identity, authentication: byPassword(now) })
  if (taken === 'recovery-code') await noteRecovery(unit, { user, login: entered.login })
  return entered
}

async function hold(unit: Unit, client: Client, until: Instant): Promise<Refused> {
  await refuse(unit, client, { cause: 'wait' })
  return { refused: 'wait', until }
}

type Code = { readonly user: string; readonly code: string }

async function takeCode(
  unit: Unit,
  { key }: Deps,
  { user, code }: Code,
): Promise<'totp' | 'recovery-code' | undefined> {
  if (await takeTotp(unit, { user, code, key })) return 'totp'
  return (await takeRecoveryCode(unit, { user, code, login: noLoginYet })) ? 'recovery-code' : undefined
}

async function noteRecovery(unit: Unit, used: { readonly user: string; readonly login: string }): Promise<void> {
  await sayWhichLogin(unit, used)
  await recordRecovery(unit, used)
}

type Why = { readonly cause: string; readonly user?: string | undefined }

async function refuse(unit: Unit, { address }: Client, { cause, user }: Why): Promise<Refused> {
  // What was typed as a name may be a password: only a name that is one is written down.
  const subject = user === undefined ? undefined : `user:${user}`
  const fields = { provider: localSource, cause, address, subject }
  // Counted without whose it is: names that are there and names that are not take the same statements.
  await recordRefusal(unit, { type: 'login.refused', source: localSource, cause, address, fields })
  return { refused: 'wrong' }
}

type Entering = Coming & {
  readonly user: string
  readonly identity: DeclaredIdentity
  readonly authentication: Authentication
}

async function enter(
  unit: Unit,
  { user, identity, authentication, client, before }: Entering,
): Promise<Entered & { readonly login: string }> {
  if (before !== undefined) await endLogins(unit, { ids: [before] }, { reason: 'replaced' })
  const lasts: Millis = identity.sessions.longest
  const { id, secret } = await beginLogin(unit, {
    kind: 'browser',
    user,
    provider: localSource,
    subject: user,
    authentication,
    client,
    lasts,
  })
  return { login: id, secret, endsAt: after(unit.now, lasts) }
}
