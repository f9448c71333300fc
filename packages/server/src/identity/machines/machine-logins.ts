/**
 * Logins of services and agents: how long one that proved who it is is believed. It shows `tdm_` and 256 random bits, of
 * which only the hash is kept, and it proves anew who it is when that is over: nothing refreshes it.
 */

import type { Authentication, Instant, MachineLoginId, Millis, Principal } from '@tidegate/core'
import { after, earlier, principalKey } from '@tidegate/core'
import { sql } from 'kysely'
import { actsForFields } from '../../log/acts-for.ts'
import { newId } from '../../runtime.ts'
import type { Unit } from '../../store/change.ts'
import type { Reader } from '../../store/database.ts'
import { boundInstant, instantParam } from '../../store/database.ts'
import { identityLimits } from '../limits.ts'
import { hashToken } from '../tokens.ts'
import type { Proof } from './proof.ts'

export type NewMachineLogin = {
  readonly principal: Exclude<Principal, { kind: 'user' }>
  readonly proof: Proof
  readonly authentication: Authentication
  readonly lasts: Millis
  /** Of what it rests on. Absent: that has none. */
  readonly noLongerThan?: Instant
  /** RFC 7638. Absent: whoever holds the token may use it. */
  readonly keyThumbprint?: string
  /** Where it came from. Absent: made within a call of someone who is known. */
  readonly address?: string
}

export type MachineLogin = { readonly id: MachineLoginId; readonly token: string; readonly endsAt: Instant }

export async function beginMachineLogin(unit: Unit, login: NewMachineLogin): Promise<MachineLogin> {
  const { tx, now, runtime } = unit
  const { principal, proof, authentication, keyThumbprint, address } = login
  const id = newId(runtime, 'machineLogin')
  const token = `tdm_${Buffer.from(runtime.random(32)).toString('base64url')}`
  const whole = after(now, login.lasts)
  const endsAt = login.noLongerThan === undefined ? whole : earlier(whole, login.noLongerThan)
  const key = principalKey(principal)
  await endSurplus(unit, key)
  await tx
    .insertInto('machineLogin')
    .values({
      id,
      principal: key,
      proof: JSON.stringify(proof),
      authentication: JSON.stringify(authentication),
      run: authentication.run ?? null,
      tokenHash: hashToken(token),
      keyThumbprint: keyThumbprint ?? null,
      clientAddress: address ?? null,
      startedAt: instantParam(now),
      endsAt: instantParam(endsAt),
      endedAt: null,
      endReason: null,
    })
    .execute()
  const { method, run } = authentication
  const open = { login: id, method, bound: keyThumbprint !== undefined, endsAt: new Date(endsAt).toISOString(), run }
  const personal = { principal: key, ...actsForFields(principal), subject: subjectOf(proof), address }
  unit.record({ type: 'machine-login.started', at: now, fields: { ...open, ...personal } })
  return { id, token, endsAt }
}

const subjectOf = (proof: Proof): string | undefined => (proof.by === 'federation' ? proof.subject : undefined)

/** One that keeps proving who it is fills no table: the oldest make room. */
async function endSurplus(unit: Unit, principal: string): Promise<void> {
  const rows = await unit.tx
    .selectFrom('machineLogin')
    .select('id')
    .where('principal', '=', principal)
    .where('endedAt', 'is', null)
    .where('endsAt', '>', boundInstant(unit.now))
    .orderBy('id', 'desc')
    .offset(identityLimits.machineLoginsOfOne - 1)
    .execute()
  if (rows.length > 0) await endMachineLogins(unit, { ids: rows.map(({ id }) => id) }, { reason: 'replaced' })
}

export const machineEndReasons = {
  done: 'it said that it is done',
  ended: 'it was ended by someone who may',
  killed: 'the agent was killed',
  replaced: 'another login took its place',
  'secret-revoked': 'the secret that it was proved with was revoked',
} as const

export type MachineEndReason = keyof typeof machineEndReasons

/** Of which logins: all that are named have to fit. */
type Which = {
  readonly ids?: readonly string[]
  readonly principals?: readonly string[]
  readonly run?: string
  readonly secret?: string
}

type Ended = { readonly reason: MachineEndReason; readonly by?: string }

/** @returns the ids of those that had not ended before */
export async function endMachineLogins(unit: Unit, which: Which, { reason, by }: Ended): Promise<string[]> {
  let query = unit.tx
    .updateTable('machineLogin')
    .set({ endedAt: instantParam(unit.now), endReason: reason })
    .where('endedAt', 'is', null)
    .where('endsAt', '>', boundInstant(unit.now))
  if (which.ids) query = query.where('id', 'in', which.ids.length > 0 ? which.ids : [''])
  if (which.principals) query = query.where('principal', 'in', which.principals)
  if (which.run !== undefined) query = query.where('run', '=', which.run)
  if (which.secret !== undefined) query = query.where(sql<boolean>`proof ->> 'secret' = ${which.secret}`)
  const rows = await query.returning(['id', 'principal']).execute()
  for (const { id, principal } of rows)
    unit.record({ type: 'machine-login.ended', at: unit.now, fields: { login: id, reason, principal, by } })
  return rows.map(({ id }) => id)
}

/** The runs, of these, that some login is alive of. */
export async function runsAlive(reader: Reader, runs: readonly string[], now: Instant): Promise<ReadonlySet<string>> {
  if (runs.length === 0) return new Set()
  const rows = await reader
    .selectFrom('machineLogin')
    .select('run')
    .distinct()
    .where('run', 'in', runs)
    .where('endedAt', 'is', null)
    .where('endsAt', '>', boundInstant(now))
    .execute()
  return new Set(rows.flatMap(({ run }) => (run === null ? [] : [run])))
}
