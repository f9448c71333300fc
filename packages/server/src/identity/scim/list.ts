/** What a source reads back: one, or a page of those that a filter lets through. RFC 7644, section 3.4.2. */

import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Reader } from '../../store/database.ts'
import { bindFilter } from './bound.ts'
import { notFound, refusal } from './errors.ts'
import { parseFilter } from './filter.ts'
import type { Columns } from './filter-sql.ts'
import { conditionOf } from './filter-sql.ts'
import type { GroupRow } from './groups.ts'
import { scimLimits } from './limits.ts'
import type { ResourceType } from './schema.ts'
import { groupType, userType } from './schema.ts'
import type { Source } from './source.ts'
import type { UserRow } from './users.ts'

export type Wish = { readonly filter?: string; readonly startIndex: number; readonly count: number }

export type Page<R> = { readonly total: number; readonly startIndex: number; readonly rows: readonly R[] }

/** @throws {ScimError} `invalidValue` for what is no number */
export function readWish(query: Readonly<Record<string, unknown>>): Wish {
  const { filter } = query
  if (filter !== undefined && typeof filter !== 'string') throw refusal('invalidFilter', 'Send one filter.')
  return {
    ...(filter !== undefined && filter !== '' && { filter }),
    startIndex: Math.max(1, wholeNumber(query, 'startIndex', { absent: 1, most: scimLimits.startIndex })),
    count: Math.max(0, wholeNumber(query, 'count', { absent: scimLimits.page, most: scimLimits.pageMost })),
  }
}

type Bounds = { readonly absent: number; readonly most: number }

function wholeNumber(query: Readonly<Record<string, unknown>>, name: string, { absent, most }: Bounds): number {
  const text = query[name]
  if (text === undefined || text === '') return absent
  if (typeof text === 'string' && /^-?\d{1,15}$/.test(text)) return Math.min(most, Number(text))
  throw refusal('invalidValue', `${name} is a whole number.`)
}

const plain: Readonly<Record<string, RawBuilder<unknown>>> = {
  id: sql`r.id`,
  externalId: sql`r.external_id`,
  created: sql`r.created_at`,
  lastModified: sql`r.changed_at`,
}

const userColumns: Columns = {
  one({ attribute, part }) {
    const known = { ...plain, userName: sql`r.user_name` }[part?.name ?? attribute.name]
    if (known && attribute.name !== 'manager') return known
    if (part) return sql`(r.document -> ${sql.lit(attribute.name)} ->> ${sql.lit(part.name)})`
    if (attribute.type === 'complex') return sql`(r.document -> ${sql.lit(attribute.name)})`
    const text = sql`(r.document ->> ${sql.lit(attribute.name)})`
    return attribute.type === 'boolean' ? sql`${text}::boolean` : text
  },
  some: (attribute, where) => sql`exists (
    select from jsonb_array_elements(r.document -> ${sql.lit(attribute.name)}) as one
    where ${where(({ name, type }) => {
      const text = sql`(one ->> ${sql.lit(name)})`
      return type === 'boolean' ? sql`${text}::boolean` : text
    })})`,
}

const groupColumns: Columns = {
  one: ({ attribute, part }) =>
    (part ?? attribute).name === 'displayName' ? sql`r.name` : (plain[(part ?? attribute).name] ?? sql`null`),
  some: (_attribute, where) => sql`exists (
    select from (
      select u.id as value, 'User' as type, u.user_name as display
      from directory_membership m join scim_user u on u.source = r.source and u.user_id = substr(m.member, 6)
      where m.group_id = r.group_id and starts_with(m.member, 'user:')
      union all
      select g.id, 'Group', g.name
      from directory_membership m join scim_group g on g.group_id = substr(m.member, 7)
      where m.group_id = r.group_id and starts_with(m.member, 'group:')
    ) as one where ${where(({ name }) => sql.ref(`one.${name}`))})`,
}

export const listUsers = (reader: Reader, source: Source, wish: Wish): Promise<Page<UserRow>> =>
  page<UserRow>(reader, source, { wish, type: userType, table: sql`scim_user`, columns: userColumns })

export const listGroups = (reader: Reader, source: Source, wish: Wish): Promise<Page<GroupRow>> =>
  page<GroupRow>(reader, source, { wish, type: groupType, table: sql`scim_group`, columns: groupColumns })

type Listing = {
  readonly wish: Wish
  readonly type: ResourceType
  readonly table: RawBuilder<unknown>
  readonly columns: Columns
}

async function page<R>(reader: Reader, source: Source, { wish, type, table, columns }: Listing): Promise<Page<R>> {
  const { filter, startIndex, count } = wish
  const fits = filter === undefined ? sql`true` : conditionOf(bindFilter(parseFilter(filter), type), columns)
  const from = sql`from ${table} r where r.source = ${source.id} and ${fits}`
  const [counted, found] = await Promise.all([
    sql<{ total: number }>`select count(*) as total ${from}`.execute(reader),
    count === 0
      ? { rows: [] }
      : sql<R>`select r.* ${from} order by r.id limit ${count} offset ${startIndex - 1}`.execute(reader),
  ])
  return { total: counted.rows[0]?.total ?? 0, startIndex, rows: found.rows }
}

export async function findUser(reader: Reader, source: Source, id: string): Promise<UserRow> {
  const query = reader.selectFrom('scimUser').selectAll().where('id', '=', id).where('source', '=', source.id)
  const row = await query.executeTakeFirst()
  if (!row) throw notFound()
  return row as UserRow
}

/** As many of them as have no more members together than a page has. At least one, or nobody would get to the others. */
export async function fittingGroups(reader: Reader, rows: readonly GroupRow[]): Promise<readonly GroupRow[]> {
  const ids = rows.map(({ groupId }) => groupId)
  const counted = await sql<{ groupId: string; members: number }>`
    select group_id, count(*) as members from directory_membership
    where group_id = any(${ids}::text[]) group by group_id`.execute(reader)
  const sizes = new Map(counted.rows.map(({ groupId, members }) => [groupId, members]))
  let together = 0
  const over = rows.findIndex(({ groupId }) => (together += sizes.get(groupId) ?? 0) > scimLimits.membersOfPage)
  return over === -1 ? rows : rows.slice(0, Math.max(1, over))
}
