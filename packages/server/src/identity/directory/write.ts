/**
 * What sources outside configuration say of people, written down. Whoever changes something here asks afterwards what it
 * does to access: `reassessPeople`.
 */

import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Instant } from '@tidegate/core'
import type { Unit } from '../../store/change.ts'
import type { Tables } from '../../store/database.ts'
import { instantParam, maybeInstantParam } from '../../store/database.ts'
import { forgetFactors } from '../factors/factors.ts'
import { endLogins } from '../logins/logins.ts'
import { rememberFormer } from './former.ts'

export type DirectoryUser = {
  /** In the name space of configured users, in lower case. Whoever calls has made sure that it is theirs. */
  readonly id: string
  readonly source: string
  readonly externalId: string
  readonly active: boolean
  readonly about: { readonly name?: string; readonly email?: string; readonly manager?: string }
}

type Change = 'added' | 'changed' | 'suspended' | 'restored'

export type DirectoryRow = Selectable<Tables['directoryUser']>

/** Locked until the transaction ends. `undefined`: no source has said anything of them. */
export const lockPerson = ({ tx }: Unit, id: string): Promise<DirectoryRow | undefined> =>
  tx.selectFrom('directoryUser').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()

/** @returns what changed; `undefined`: nothing. Whoever is not active loses their logins in the same transaction */
export const putUser = async (unit: Unit, user: DirectoryUser): Promise<Change | undefined> =>
  putOver(unit, await lockPerson(unit, user.id), user)

const columnsOf = ({ about, active, externalId }: DirectoryUser) => ({
  name: about.name ?? null,
  email: about.email ?? null,
  manager: about.manager ?? null,
  active,
  externalId,
})

/** What the directory has of someone. */
export type Before = Pick<DirectoryRow, 'source' | 'externalId' | 'name' | 'email' | 'manager' | 'active'>

/** Whether it has them like this already. */
export const isKnown = (before: Before, user: DirectoryUser): boolean =>
  before.source === user.source &&
  Object.entries(columnsOf(user)).every(([name, value]) => before[name as keyof Before] === value)

/** @param before as it is locked. @returns as of `putUser` */
export async function putOver(
  unit: Unit,
  before: Before | undefined,
  user: DirectoryUser,
): Promise<Change | undefined> {
  const { tx, now } = unit
  const { id, source, active } = user
  if (before && before.source !== source)
    throw new Error(`The person ${id} is one of ${before.source}, not of ${source}.`)
  if (before && isKnown(before, user)) return undefined
  const written = { ...columnsOf(user), changedAt: instantParam(now) }
  unit.send(
    tx
      .insertInto('directoryUser')
      .values({ id, source, createdAt: instantParam(now), ...written })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(written))
      .execute(),
  )
  const change = changeOf(before, active)
  unit.record({ type: 'directory.user-changed', at: now, fields: { source, change, principal: `user:${id}` } })
  if (!active) await endLogins(unit, { user: id }, { reason: 'suspended' })
  return change
}

function changeOf(before: { readonly active: boolean } | undefined, active: boolean): Change {
  if (!before) return active ? 'added' : 'suspended'
  if (before.active === active) return 'changed'
  return active ? 'restored' : 'suspended'
}

/** They are nobody any more, and what rested on it ends. Nobody else is ever given their id. */
export async function removeUser(unit: Unit, { id, source }: { id: string; source: string }): Promise<boolean> {
  const gone = await unit.tx
    .deleteFrom('directoryUser')
    .where('id', '=', id)
    .where('source', '=', source)
    .returning('externalId')
    .executeTakeFirst()
  if (!gone) return false
  await rememberFormer(unit, { id, source, externalId: gone.externalId })
  await unit.tx.deleteFrom('directoryMembership').where('member', '=', `user:${id}`).execute()
  await unit.tx.deleteFrom('loginLink').where('userId', '=', id).execute()
  await endLogins(unit, { user: id }, { reason: 'suspended' })
  await forgetFactors(unit, id, { because: 'removed' })
  const fields = { source, change: 'removed', principal: `user:${id}` }
  unit.record({ type: 'directory.user-changed', at: unit.now, fields })
  return true
}

export type GroupsOfOne = {
  readonly user: string
  readonly source: string
  /** As the source names them. All that it says; what is not here is over. */
  readonly groups: readonly string[]
  /** Absent: until it is taken back. */
  readonly endsAt?: Instant
}

export const groupId = (source: string, externalId: string): string => `${source}/${externalId}`

/** @returns whether they are in other groups than before, as far as this source says */
export async function setGroupsOf(unit: Unit, { user, source, groups, endsAt }: GroupsOfOne): Promise<boolean> {
  const { tx, now } = unit
  const member = `user:${user}`
  const wanted = groups.map((name) => groupId(source, name))
  const rows = await tx
    .selectFrom('directoryMembership')
    .innerJoin('directoryGroup', 'directoryGroup.id', 'directoryMembership.groupId')
    .select(['groupId', 'endsAt'])
    .where('member', '=', member)
    .where('source', '=', source)
    .execute()
  const counting = rows.filter((row) => row.endsAt === null || row.endsAt > now).map(({ groupId }) => groupId)
  const removed = counting.filter((id) => !wanted.includes(id))
  const added = wanted.filter((id) => !counting.includes(id))
  const over = rows.map(({ groupId }) => groupId).filter((id) => !wanted.includes(id))
  if (over.length > 0)
    await tx.deleteFrom('directoryMembership').where('member', '=', member).where('groupId', 'in', over).execute()
  await sql`
    insert into directory_group (id, source, external_id, name)
    select ${source} || '/' || name, ${source}, name, name from unnest(${[...groups]}::text[]) as name
    on conflict do nothing`.execute(tx)
  await sql`
    insert into directory_membership (group_id, member, ends_at)
    select id, ${member}, ${maybeInstantParam(endsAt)}::timestamptz from unnest(${wanted}::text[]) as id
    on conflict (member, group_id) do update set ends_at = excluded.ends_at`.execute(tx)
  if (added.length + removed.length === 0) return false
  const fields = { source, added: added.slice(0, shown), removed: removed.slice(0, shown), principal: member }
  unit.record({ type: 'directory.groups-changed', at: now, fields })
  return true
}

/** An entry has a bound. The store has all. */
const shown = 100
