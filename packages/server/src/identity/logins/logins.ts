/**
 * Logins: how long someone who proved who they are is believed. Kept here and nowhere else, so that ending one is ending
 * it. The client holds a secret of 256 random bits, the store its hash.
 */

import type { Authentication, Instant, LoginId, Millis } from '@tidegate/core'
import { after, earlier } from '@tidegate/core'
import type { Selectable } from 'kysely'
import type { DeclaredIdentity } from '../../configuration/schema.ts'
import type { Runtime } from '../../runtime.ts'
import { newId } from '../../runtime.ts'
import type { Unit } from '../../store/change.ts'
import type { Reader, Tables } from '../../store/database.ts'
import { boundInstant, instantParam } from '../../store/database.ts'
import { identityLimits } from '../limits.ts'
import { hashToken } from '../tokens.ts'
import { isSource } from './sources.ts'

export type LoginRow = Selectable<Tables['login']>
export type LoginKind = LoginRow['kind']

/** `tds_` of a browser, `tdr_` of a command line: secret scanners know them by it. */
const prefixes: Record<LoginKind, string> = { browser: 'tds', 'command-line': 'tdr' }

export const makeSecret = (kind: LoginKind, random: Runtime['random']): string =>
  `${prefixes[kind]}_${Buffer.from(random(32)).toString('base64url')}`

export type Client = { readonly address: string; readonly agent?: string }

export type NewLogin = {
  readonly kind: LoginKind
  readonly user: string
  readonly provider: string
  readonly subject: string
  readonly providerSession?: string
  readonly authentication: Authentication
  readonly client: Client
  readonly lasts: Millis
  /** Of a command line, always: which key it holds, and the browser login that let it in. */
  readonly key?: { readonly thumbprint: string; readonly allowedBy: string }
}

export type Begun = { readonly id: LoginId; readonly secret: string; readonly endsAt: Instant }

export async function beginLogin(unit: Unit, login: NewLogin): Promise<Begun> {
  const { tx, now, runtime } = unit
  const id = newId(runtime, 'login')
  const secret = makeSecret(login.kind, runtime.random)
  const endsAt = after(now, login.lasts)
  await endSurplus(unit, login.user)
  const at = instantParam(now)
  await tx
    .insertInto('login')
    .values({
      id,
      kind: login.kind,
      userId: login.user,
      provider: login.provider,
      subject: login.subject,
      providerSession: login.providerSession ?? null,
      authentication: JSON.stringify(login.authentication),
      secretHash: hashToken(secret),
      earlierHash: null,
      earlierUntil: null,
      rotatedAt: at,
      clientAddress: login.client.address,
      clientAgent: login.client.agent?.slice(0, 300) ?? null,
      startedAt: at,
      lastUsedAt: at,
      endsAt: instantParam(endsAt),
      endedAt: null,
      endReason: null,
      keyThumbprint: login.key?.thumbprint ?? null,
      allowedBy: login.key?.allowedBy ?? null,
    })
    .execute()
  const { kind, provider, user, subject, client } = login
  const { method, mfa, phishingResistant } = login.authentication
  const open = { login: id, kind, provider, method, mfa, phishingResistant }
  const personal = { principal: `user:${user}`, subject, address: client.address, agent: client.agent?.slice(0, 300) }
  unit.record({ type: 'login.started', at: now, fields: { ...open, ...personal } })
  return { id, secret, endsAt }
}

/** Someone who keeps starting logins fills no table: the oldest make room. */
async function endSurplus(unit: Unit, user: string): Promise<void> {
  const rows = await unit.tx
    .selectFrom('login')
    .select('id')
    .where('userId', '=', user)
    .where('endedAt', 'is', null)
    .where('endsAt', '>', boundInstant(unit.now))
    .orderBy('id', 'desc')
    .offset(identityLimits.loginsOfOne - 1)
    .execute()
  if (rows.length > 0) await endLogins(unit, { ids: rows.map(({ id }) => id) }, { reason: 'replaced' })
}

export const loginEndReasons = {
  'signed-out': 'they signed out',
  ended: 'it was ended by someone who may',
  replaced: 'another login took its place',
  'provider-logout': 'the provider said that they are logged out',
  suspended: 'they are no longer active',
  unlinked: 'who signed in by it is no longer taken for them',
  'factors-reset': 'an administrator had their second factors forgotten',
  reused: 'what its client held before was used again: one of two holders is not its own',
} as const

export type LoginEndReason = keyof typeof loginEndReasons

/** A browser that is left behind says nothing of the command lines that it let in. All else does. */
const leavesOthers: ReadonlySet<LoginEndReason> = new Set(['signed-out', 'replaced'])

/** Of which logins: all that are named have to fit. */
export type Which = {
  readonly ids?: readonly string[]
  readonly user?: string
  readonly provider?: string
  readonly subject?: string
  readonly providerSession?: string
  /** Let in through one of these. */
  readonly allowedBy?: readonly string[]
}

type Ended = { readonly reason: LoginEndReason; readonly by?: string }

/** And with them the command lines that they let in, where the reason speaks against those, too. @returns the ids of those that had not ended before */
export async function endLogins(unit: Unit, which: Which, ended: Ended): Promise<LoginId[]> {
  const ids = await endThese(unit, which, ended)
  if (ids.length === 0 || leavesOthers.has(ended.reason)) return ids
  // A statement of its own: one that was let in while the first waited for its row is seen by this.
  return [...ids, ...(await endThese(unit, { allowedBy: ids }, ended))]
}

async function endThese(unit: Unit, which: Which, { reason, by }: Ended): Promise<LoginId[]> {
  let query = unit.tx
    .updateTable('login')
    .set({ endedAt: instantParam(unit.now), endReason: reason })
    .where('endedAt', 'is', null)
  if (which.ids) query = query.where('id', 'in', which.ids.length > 0 ? which.ids : [''])
  if (which.user !== undefined) query = query.where('userId', '=', which.user)
  if (which.provider !== undefined) query = query.where('provider', '=', which.provider)
  if (which.subject !== undefined) query = query.where('subject', '=', which.subject)
  if (which.providerSession !== undefined) query = query.where('providerSession', '=', which.providerSession)
  if (which.allowedBy) query = query.where('allowedBy', 'in', which.allowedBy)
  const rows = await query.returning(['id', 'userId', 'kind']).execute()
  for (const { id, userId, kind } of rows) {
    const fields = { login: id, kind, reason, principal: `user:${userId}`, by }
    unit.record({ type: 'login.ended', at: unit.now, fields })
  }
  return rows.map(({ id }) => id as LoginId)
}

type Looking = { readonly identity: DeclaredIdentity; readonly now: Instant }

/** Where it is over by the clock. What configuration says now counts for logins that were begun before, too. */
export const overAt = (row: LoginRow, { sessions }: DeclaredIdentity): Instant =>
  earlier(
    earlier(row.endsAt, after(row.startedAt, sessions.longest)),
    after(row.lastUsedAt, row.kind === 'browser' ? sessions.idle : sessions.longest),
  )

/** As far as its row says. Its provider has to be there still. */
export const isBelieved = (row: LoginRow, { identity, now }: Looking): boolean =>
  row.endedAt === null && now < overAt(row, identity) && isSource(identity, row.provider)

/** `stale`: it held this secret once, longer ago than requests take. */
export type Found = { readonly row: LoginRow; readonly held: 'now' | 'before' | 'stale' }

/** The login behind a secret, if it counts. */
export const findLogin = async (reader: Reader, hash: Buffer, looking: Looking): Promise<Found | undefined> =>
  foundBy(await loginOfSecret(reader, hash), hash, looking)

/** Which one it is of, whether or not it counts. */
export const loginOfSecret = (reader: Reader, hash: Buffer): Promise<LoginRow | undefined> =>
  reader
    .selectFrom('login')
    .selectAll()
    .where((eb) => eb.or([eb('secretHash', '=', hash), eb('earlierHash', '=', hash)]))
    .where('endedAt', 'is', null)
    .executeTakeFirst()

export function foundBy(row: LoginRow | undefined, hash: Buffer, { identity, now }: Looking): Found | undefined {
  if (!row || !isBelieved(row, { identity, now })) return undefined
  if (row.secretHash.equals(hash)) return { row, held: 'now' }
  return { row, held: row.earlierUntil !== null && now < row.earlierUntil ? 'before' : 'stale' }
}

/** Makes it another secret. Of two at once one is first, and the other finds its own still good for a moment. */
export async function rotate(
  reader: Reader,
  { row, secret, now }: { readonly row: LoginRow; readonly secret: string; readonly now: Instant },
): Promise<boolean> {
  const at = instantParam(now)
  const first = await reader
    .updateTable('login')
    .set({
      secretHash: hashToken(secret),
      earlierHash: row.secretHash,
      earlierUntil: instantParam(after(now, identityLimits.rotationGrace)),
      rotatedAt: at,
      lastUsedAt: at,
    })
    .where('id', '=', row.id)
    .where('secretHash', '=', row.secretHash)
    .where('endedAt', 'is', null)
    .returning('id')
    .executeTakeFirst()
  return first !== undefined
}

export const noteUse = async (reader: Reader, { id }: LoginRow, now: Instant): Promise<void> =>
  void (await reader
    .updateTable('login')
    .set({ lastUsedAt: instantParam(now) })
    .where('id', '=', id)
    .where('endedAt', 'is', null)
    .execute())
