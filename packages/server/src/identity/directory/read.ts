/** What sources outside configuration say of people, read for questions. */

import type { Instant } from '@tidegate/core'
import { sql } from 'kysely'
import type { DeclaredIdentity } from '../../configuration/schema.ts'
import type { Reader } from '../../store/database.ts'
import { boundInstant } from '../../store/database.ts'

export type Person = {
  readonly active: boolean
  readonly about: { readonly name?: string; readonly email?: string; readonly manager?: string }
}

export type Standing = {
  /** Absent: no source has them, as far as configuration still names it. */
  readonly person?: Person
  /** Ids of groups of the directory, nested ones resolved. */
  readonly groups: readonly string[]
}

/** By user id. Absent: the directory knows nothing of them. */
export type Known = ReadonlyMap<string, Standing>

export const nobody: Standing = { groups: [] }

type Asked = { readonly identity: DeclaredIdentity; readonly people: readonly string[]; readonly now: Instant }

/** The sources that count: what a configuration does not name does not hold. */
const sourcesOf = ({ providers, scim }: DeclaredIdentity): string[] => [...providers, ...scim].map(({ id }) => id)

/** Asks the store only where there can be anyone. */
export async function readDirectory(reader: Reader, { identity, people, now }: Asked): Promise<Known> {
  const sources = sourcesOf(identity)
  if (sources.length === 0 || people.length === 0) return new Map()
  const [persons, groups] = await Promise.all([
    readPersons(reader, sources, people),
    readGroups(reader, { sources, people, now }),
  ])
  return new Map(
    people.map((id) => {
      const person = persons.get(id)
      return [id, { groups: groups.get(id) ?? [], ...(person && { person }) }]
    }),
  )
}

async function readPersons(
  reader: Reader,
  sources: readonly string[],
  people: readonly string[],
): Promise<Map<string, Person>> {
  const rows = await reader
    .selectFrom('directoryUser')
    .select(['id', 'active', 'name', 'email', 'manager'])
    .where('id', 'in', people)
    .where('source', 'in', sources)
    .execute()
  return new Map(
    rows.map(({ id, active, name, email, manager }) => {
      const about = {
        ...(name !== null && { name }),
        ...(email !== null && { email }),
        ...(manager !== null && { manager }),
      }
      return [id, { active, about }]
    }),
  )
}

type Counting = { readonly sources: readonly string[]; readonly people: readonly string[]; readonly now: Instant }

async function readGroups(reader: Reader, { sources, people, now }: Counting): Promise<Map<string, string[]>> {
  const { rows } = await sql<{ member: string; groups: string[] }>`
    with recursive inside as (
      select member, group_id from directory_membership
      where member = any(${people.map((id) => `user:${id}`)}) and (ends_at is null or ends_at > ${boundInstant(now)})
      union
      select inside.member, above.group_id from inside
      join directory_membership above on above.member = 'group:' || inside.group_id
      where above.ends_at is null or above.ends_at > ${boundInstant(now)}
    )
    select member, array_agg(group_id order by group_id) as groups from inside
    join directory_group on directory_group.id = group_id and source = any(${sources})
    group by member`.execute(reader)
  return new Map(rows.map(({ member, groups }) => [member.slice('user:'.length), groups]))
}
