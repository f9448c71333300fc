/** A login gets stronger: the same one, so that what rests on it stays, with another secret in the browser. */

import type { Authentication, Instant } from '@tidegate/core'
import { makeSecret } from '../logins/logins.ts'
import { hashToken } from '../tokens.ts'
import type { MasterKey } from '../../secrets/envelope.ts'
import type { Unit } from '../../store/change.ts'
import { instantParam } from '../../store/database.ts'
import { recordRefusal } from '../refusals.ts'
import { openChallenge, useChallenge } from './challenge.ts'
import type { Guesser } from './guesses.ts'
import { beginGuess } from './guesses.ts'
import type { Place } from './passkeys.ts'
import { checkPasskey } from './passkeys.ts'
import { recoveryCodesLeft, takeRecoveryCode } from './recovery-codes.ts'
import { takeTotp } from './totp.ts'

/** `secret`: what the browser is to hold from here on. */
export type SteppedUp =
  | { readonly secret: string; readonly endsAt: Instant }
  | { readonly refused: 'wrong' | 'wait'; readonly until?: Instant }

export type Stepping = {
  readonly user: string
  readonly login: string
  readonly before: Authentication
  readonly address: string
  readonly key: MasterKey
}

type Answer = { readonly place: Place; readonly sealed: string; readonly answer: string }

export async function stepUpByPasskey(
  unit: Unit,
  stepping: Stepping,
  { place, sealed, answer }: Answer,
): Promise<SteppedUp> {
  const { user, login, key } = stepping
  const challenge = openChallenge(sealed, { purpose: 'passkey', about: login, key, now: unit.now })
  if (!challenge || !(await useChallenge(unit, challenge))) return refuse(unit, stepping, ['passkey', 'challenge'])
  const checked = await checkPasskey(unit, { place, challenge: challenge.secret, answer, user })
  if ('refused' in checked) return refuse(unit, stepping, ['passkey', checked.refused])
  return strengthen(unit, stepping, { factor: 'passkey', phishingResistant: true })
}

/** A code of the app, or one for recovery. Both are guessed at, so both count as guesses. */
export async function stepUpByCode(unit: Unit, stepping: Stepping, code: string): Promise<SteppedUp> {
  const { user, login, address, key } = stepping
  const guess = await beginGuess(unit, guesserOf(user, address))
  if ('waitUntil' in guess) {
    await refuse(unit, stepping, ['code', 'wait'])
    return { refused: 'wait', until: guess.waitUntil }
  }
  const byApp = await takeTotp(unit, { user, code, key })
  const taken = byApp || (await takeRecoveryCode(unit, { user, code, login }))
  await guess.settle(taken)
  if (!taken) return refuse(unit, stepping, ['code', 'wrong'])
  if (!byApp) await recordRecovery(unit, { user, login })
  return strengthen(unit, stepping, { factor: byApp ? 'totp' : 'recovery-code', phishingResistant: false })
}

/** Guesses at someone's codes are theirs, whatever for. */
export const guesserOf = (user: string, address: string): Guesser => ({ person: `code:${user}`, address })

export async function recordRecovery(unit: Unit, { user, login }: { user: string; login: string }): Promise<void> {
  const left = await recoveryCodesLeft(unit.tx, user)
  unit.record({ type: 'factor.recovery-code-used', at: unit.now, fields: { login, left, principal: `user:${user}` } })
}

async function refuse(
  unit: Unit,
  { user, login, address }: Stepping,
  [kind, cause]: readonly [string, string],
): Promise<SteppedUp> {
  const source = `user:${user}`
  const fields = { kind, cause, login, principal: source, address }
  await recordRefusal(unit, { type: 'factor.refused', source, cause: `${kind}, ${cause}`, address, fields })
  return { refused: 'wrong' }
}

type Proved = { readonly factor: string; readonly phishingResistant: boolean }

/** As of the last proof: an older, stronger one is not taken to be as young as this. */
async function strengthen(
  unit: Unit,
  { user, login, before }: Stepping,
  { factor, phishingResistant }: Proved,
): Promise<SteppedUp> {
  const { tx, now, runtime } = unit
  const authentication: Authentication = { method: before.method, mfa: true, phishingResistant, at: now }
  const secret = makeSecret('browser', runtime.random)
  const at = instantParam(now)
  const row = await tx
    .updateTable('login')
    .set({
      authentication: JSON.stringify(authentication),
      secretHash: hashToken(secret),
      // Not even for a moment: whoever has a copy of it is not to be carried along.
      earlierHash: null,
      earlierUntil: null,
      rotatedAt: at,
      lastUsedAt: at,
    })
    .where('id', '=', login)
    .where('endedAt', 'is', null)
    .returning('endsAt')
    .executeTakeFirst()
  if (!row) return { refused: 'wrong' }
  const { method, mfa } = authentication
  const fields = { login, factor, method, mfa, phishingResistant, principal: `user:${user}` }
  unit.record({ type: 'login.strengthened', at: now, fields })
  return { secret, endsAt: row.endsAt }
}
