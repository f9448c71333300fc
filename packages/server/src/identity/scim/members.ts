/** Who is in a group, changed and read as a set: one statement, however many they are. */

import { sql } from 'kysely'
import type { Unit } from '../../store/change.ts'
import type { Reader } from '../../store/database.ts'
import { refusal } from './errors.ts'
import type { MemberChange } from './patch.ts'
import type { Source } from './source.ts'

type Asked = { readonly ids: ReadonlySet<string>; readonly missing: 'refuse' | 'skip' }

/** As the directory calls them: `user:ID` and `group:ID`, of this source alone. */
export async function memberKeys({ tx }: Unit, source: Source, { ids, missing }: Asked): Promise<string[]> {
  if (ids.size === 0) return []
  const asked = [...ids]
  // Locked, so that nobody is put into a group who is being removed: their id may be somebody else's afterwards.
  const { rows } = await sql<{ id: string; key: string }>`
    with person as (
      select id, user_id from scim_user where source = ${source.id} and id = any(${asked}::text[]) for key share
    ), inner_group as (
      select id, group_id from scim_group where source = ${source.id} and id = any(${asked}::text[]) for key share
    )
    select id, 'user:' || user_id as key from person
    union all select id, 'group:' || group_id from inner_group`.execute(tx)
  if (missing === 'refuse' && rows.length < ids.size) {
    const found = new Set(rows.map(({ id }) => id))
    const stranger = asked.find((id) => !found.has(id)) ?? ''
    throw refusal('invalidValue', `There is no person or group ${stranger.slice(0, 64)} of this source. Push it first.`)
  }
  return rows.map(({ key }) => key)
}

/** Whether it would change nothing. Read without locks, in one statement, whoever else is in the group. */
export async function isSo(
  reader: Reader,
  source: Source,
  { group, wanted }: { readonly group: string; readonly wanted: MemberChange },
): Promise<boolean> {
  const { anew, added, removed } = wanted
  const named = [...added, ...(anew ? [] : removed)]
  const { rows } = await sql<{ members: number; ids: readonly string[] | null }>`
    with named as (
      select id, 'user:' || user_id as member from scim_user where source = ${source.id} and id = any(${named}::text[])
      union all
      select id, 'group:' || group_id from scim_group where source = ${source.id} and id = any(${named}::text[])
    )
    select (select array_agg(id) from named join directory_membership m using (member) where m.group_id = ${group}) as ids,
      (select count(*) from directory_membership where ${anew} and group_id = ${group}) as members`.execute(reader)
  const inside = new Set(rows[0]?.ids)
  if (anew && rows[0]?.members !== added.size) return false
  return inside.size === added.size && [...added].every((id) => inside.has(id))
}

type Member = { readonly member: string }

/** @returns those who were not in it */
export async function addMembers({ tx }: Unit, group: string, keys: readonly string[]): Promise<string[]> {
  if (keys.length === 0) return []
  const { rows } = await sql<Member>`
    insert into directory_membership (group_id, member)
    select ${group}, member from unnest(${[...keys]}::text[]) as member
    on conflict do nothing returning member`.execute(tx)
  return rows.map(({ member }) => member)
}

/** @returns those who were in it */
export async function removeMembers({ tx }: Unit, group: string, keys: readonly string[]): Promise<string[]> {
  if (keys.length === 0) return []
  const { rows } = await sql<Member>`
    delete from directory_membership where group_id = ${group} and member = any(${[...keys]}::text[])
    returning member`.execute(tx)
  return rows.map(({ member }) => member)
}

/** Nobody else stays. @returns those who were in it */
export async function keepMembers({ tx }: Unit, group: string, keys: readonly string[]): Promise<string[]> {
  const { rows } = await sql<Member>`
    delete from directory_membership
    where group_id = ${group} and member not in (select unnest(${[...keys]}::text[]))
    returning member`.execute(tx)
  return rows.map(({ member }) => member)
}

/** Ids of the people who these are, or who are in them, however deep. */
export async function peopleUnder({ tx }: Unit, members: readonly string[]): Promise<string[]> {
  if (!members.some((key) => key.startsWith('group:'))) return members.map(userIn)
  const { rows } = await sql<Member>`
    with recursive inside as (
      select unnest(${[...members]}::text[]) as member
      union
      select below.member from inside
      join directory_membership below on starts_with(inside.member, 'group:') and below.group_id = substr(inside.member, 7)
    )
    select member from inside where starts_with(member, 'user:')`.execute(tx)
  return rows.map(({ member }) => userIn(member))
}

const userIn = (key: string): string => key.slice('user:'.length)

type Moves = {
  readonly source: string
  readonly group: string
  readonly come: readonly string[]
  readonly gone: readonly string[]
}

/** One entry for each: whose it is can be erased by itself. */
export function recordMoves(unit: Unit, { source, group, come, gone }: Moves): void {
  const at = unit.now
  const record = (member: string, moved: { added: string[]; removed: string[] }): void => {
    if (member.startsWith('user:'))
      unit.record({ type: 'directory.groups-changed', at, fields: { source, ...moved, principal: member } })
    else {
      const change = moved.added.length > 0 ? 'group-added' : 'group-removed'
      const inner = member.slice('group:'.length)
      unit.record({ type: 'directory.group-changed', at, fields: { source, group, change, member: inner } })
    }
  }
  for (const member of come) record(member, { added: [group], removed: [] })
  for (const member of gone) record(member, { added: [], removed: [group] })
}

export type ShownMember = { readonly value: string; readonly type: 'User' | 'Group'; readonly display: string }

/** By group of the directory. */
export async function membersOf(
  reader: Reader,
  source: Source,
  groups: readonly string[],
): Promise<ReadonlyMap<string, readonly ShownMember[]>> {
  const { rows } = await sql<ShownMember & { groupId: string }>`
    select m.group_id, u.id as value, 'User' as type, u.user_name as display
    from directory_membership m
    join scim_user u on u.source = ${source.id} and u.user_id = substr(m.member, 6)
    where m.group_id = any(${[...groups]}::text[]) and starts_with(m.member, 'user:')
    union all
    select m.group_id, g.id, 'Group', g.name
    from directory_membership m
    join scim_group g on g.group_id = substr(m.member, 7)
    where m.group_id = any(${[...groups]}::text[]) and starts_with(m.member, 'group:')
    order by value`.execute(reader)
  const found = new Map<string, ShownMember[]>(groups.map((id) => [id, []]))
  for (const { groupId, ...member } of rows) found.get(groupId)?.push(member)
  return found
}
