/** What roles gave in some time and what of it was used, so that they can be made to fit. */

import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import { administrationResource, compareUse, days, formatInstant, instant, roleKey } from '@tidegate/core'
import type { GivenTables, Instant, UsedTables } from '@tidegate/core'
import { sql } from 'kysely'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Reader } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'
import { ownedResources } from './access-rules.ts'
import type { Call, HandlersOf, Services } from './handler.ts'

export const usageHandlers: HandlersOf<'roleUsage'> = { roleUsage: { kind: 'plain', run: roleUsage } }

type Item = Output<'roleUsage'>['items'][number]

async function roleUsage({ services, caller, input }: Call<'roleUsage'>): Promise<Output<'roleUsage'>> {
  const { db, configurations, runtime } = services
  const since = instant(runtime.now() - days(input.days))
  const snapshot = await configurations.current(db)
  const resources = caller.auditor ? undefined : ownedResources(caller, snapshot)
  const counts = await countSessions(db, since)
  const isAsked = (role: string): boolean => {
    const [resource = ''] = role.split('/')
    return (
      (resources?.includes(resource) ?? true) &&
      (input.role ?? role) === role &&
      (input.resource ?? resource) === resource
    )
  }
  // One that nobody had in that time is there too: it gave everything for nothing.
  const roles = [...new Set([...rolesOf(snapshot), ...counts.keys()])].filter(isAsked).toSorted()
  if (roles.length === 0 && input.role !== undefined) {
    throw new ApiError('not-found', { detail: `There is no role ${input.role} that the caller audits or owns.` })
  }
  const items: Item[] = []
  for (const role of roles) items.push(await usageOf(services, { role, since, counts: counts.get(role) ?? none }))
  return { since: formatInstant(since), items }
}

/** What Tidegate's own roles are used for is in the log, and in no session. */
const isOwn = (role: string): boolean => role.startsWith(`${administrationResource}/`)

const rolesOf = ({ resources }: Snapshot): string[] =>
  [...resources.values()]
    .flatMap(({ roles }) => [...roles.values()].map(({ role }) => roleKey(role)))
    .filter((role) => !isOwn(role))

type Counts = Pick<Item, 'grants' | 'sessions' | 'counted' | 'incomplete'>

const none: Counts = { grants: 0, sessions: 0, counted: 0, incomplete: 0 }

async function countSessions(db: Reader, since: Instant): Promise<Map<string, Counts>> {
  const { rows } = await sql<Counts & { role: string }>`
    select resource || '/' || role as role, count(distinct access_grant.id) as grants, count(access_session.id) as sessions,
      count(used) as counted, count(used) filter (where (used->>'left')::bigint > 0) as incomplete
    from access_grant
      left join access_session on grant_id = access_grant.id and access_session.ended_at >= ${boundInstant(since)}
    where opened_at is not null and (access_grant.ended_at is null or access_grant.ended_at >= ${boundInstant(since)})
    group by resource, role`.execute(db)
  return new Map(rows.filter(({ role }) => !isOwn(role)).map(({ role, ...counts }) => [role, counts]))
}

type Asked = { readonly role: string; readonly since: Instant; readonly counts: Counts }

async function usageOf({ db, configurations }: Services, { role, since, counts }: Asked): Promise<Item> {
  const { sessions, counted } = counts
  const item: Item = { role, ...counts, withoutData: sessions - counted }
  // Of what nobody counted nothing is known: it is not unused.
  if (counted === 0) return item
  const used = await usedBy(db, role, since)
  const given: GivenTables[] = []
  for (const version of await versionsOf(db, role, since)) {
    const tables = givenBy(await configurations.at(db, version), role)
    if (tables === undefined) return { ...item, used: shown(used) }
    given.push(...tables)
  }
  const { unused, narrower, elsewhere } = compareUse(used, merged(given))
  return {
    ...item,
    used: shown(used),
    comparison: { unused: shown(unused), narrower: shown(narrower), elsewhere: [...elsewhere] },
  }
}

const shown = (lists: Readonly<Record<string, readonly string[]>>): Record<string, string[]> =>
  Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, [...list]]))

async function usedBy(db: Reader, role: string, since: Instant): Promise<UsedTables> {
  const { rows } = await sql<{ table: string; kinds: string[] }>`
    select one.key as "table", array_agg(distinct kind order by kind) as kinds
    from access_session join access_grant on access_grant.id = grant_id,
      jsonb_each(used->'tables') as one, jsonb_array_elements_text(one.value) as kind
    where resource || '/' || role = ${role} and access_session.ended_at >= ${boundInstant(since)}
    group by one.key order by one.key`.execute(db)
  return Object.fromEntries(rows.map(({ table, kinds }) => [table, kinds]))
}

/** Under which the grants were opened whose sessions count. */
async function versionsOf(db: Reader, role: string, since: Instant): Promise<number[]> {
  const { rows } = await sql<{ configuration: number }>`
    select distinct configuration from access_grant
    where resource || '/' || role = ${role} and configuration is not null
      and exists (select from access_session
        where grant_id = access_grant.id and used is not null and ended_at >= ${boundInstant(since)})
    order by configuration`.execute(db)
  return rows.map(({ configuration }) => configuration)
}

/** `undefined`: the role was not there, or its kind of resource does not say. */
function givenBy({ resources }: Snapshot, role: string): readonly GivenTables[] | undefined {
  const [resource = '', name = ''] = role.split('/')
  const entry = resources.get(resource)
  const spec = entry?.roles.get(name)?.spec
  return spec && entry.kind.tablesGiven?.(spec.privileges)
}

/** Given more than once, in one version or in several, it is given once. */
function merged(given: readonly GivenTables[]): GivenTables[] {
  const byTables = new Map<string, GivenTables>()
  for (const { schema, tables, privileges } of given) {
    for (const one of tables === '*' ? (['*'] as const) : tables) {
      const key = JSON.stringify([schema, one])
      const known = byTables.get(key)?.privileges ?? []
      const all = [...new Set([...known, ...privileges])]
      byTables.set(key, { schema, tables: one === '*' ? '*' : [one], privileges: all })
    }
  }
  return [...byTables.values()]
}
