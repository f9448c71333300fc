/** The verb `survey`. */

import { instant } from '@tidegate/core'
import { type StandingPrivilege, type Target, targetFault } from '../contract.ts'
import { limits } from '../limits.ts'
import { attempt, type Session } from './attempt.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { isOurs, readGroups } from './groups.ts'
import { soundIssuers } from './issuers.ts'
import { grantOfLogin, marks } from './names.ts'
import type { Pool } from './pool.ts'
import { isSuperuserLike, type Privileges } from './privileges.ts'
import { sqlFile } from './sql-file.ts'

const rolesSql = sqlFile('survey-roles.sql')
const membershipsSql = sqlFile('survey-memberships.sql')
const objectsSql = sqlFile('survey-objects.sql')
const findSql = sqlFile('find.sql')

type PostgresTarget = Target<PostgresConfig, Privileges>
type Risk = StandingPrivilege['risk']

type RoleRow = {
  readonly name: string
  readonly can_login: boolean
  readonly superuser: boolean
  readonly attributes: readonly string[]
  readonly never_expires: boolean
  readonly last_seen_at: number | null
}

type MembershipRow = {
  readonly member: string
  readonly role: string
  readonly through: string | null
  readonly direct: boolean
  readonly usable: boolean
  readonly superuser: boolean
  readonly has_attributes: boolean
}

type ObjectRow = {
  readonly standing: 'ownership' | 'direct-grant'
  readonly holder: string | null
  readonly can_login: boolean
  readonly kind: string
  readonly schema: string | null
  readonly privileges: string | null
  readonly count: number
  readonly names: readonly string[]
}

type Surveyed = {
  readonly roles: readonly RoleRow[]
  readonly memberships: readonly MembershipRow[]
  readonly objects: readonly (ObjectRow & { readonly database: string })[]
  /** Group roles of this resource: who is a member by another hand has standing access through them. */
  readonly groups: ReadonlySet<string>
  readonly manyDatabases: boolean
}

export async function survey(target: PostgresTarget, pool: Pool): Promise<StandingPrivilege[]> {
  const { databases } = target.config
  const result = await attempt(
    { pool, timeoutMs: target.limits.operationTimeoutMs },
    async (run): Promise<Surveyed> => {
      const cluster = await run.on(primaryDatabase(target.config), (session) => readCluster(target, session))
      const objects: (ObjectRow & { readonly database: string })[] = []
      for (const database of databases) {
        const rows = await run.on(database, (session) => session.read(objectsSql(), [cluster.own, limits.namesListed]))
        objects.push(...(rows as readonly ObjectRow[]).map((row) => ({ ...row, database })))
      }
      return { ...cluster, objects, manyDatabases: databases.length > 1 }
    },
  )
  if ('outcome' in result) throw targetFault(result)
  return standingPrivileges(result)
}

async function readCluster(target: PostgresTarget, session: Session) {
  const { config, resource } = target
  const groups = (await readGroups(target, session)).filter((group) => isOurs(target, group)).map(({ name }) => name)
  const found = await session.read(findSql(), [
    `${config.rolePrefix}grt_`,
    marks.loginsOf(resource),
    marks.groupsOf(resource),
  ])
  const logins = found.map(({ login }) => String(login)).filter((login) => grantOfLogin(config, login) !== undefined)
  const issuers = await soundIssuers(target, session)
  const own = [...groups, ...issuers, ...logins]
  const memberships = (await session.read(membershipsSql(), [own, logins])) as readonly MembershipRow[]
  return {
    own,
    groups: new Set(groups),
    roles: (await session.read(rolesSql(), [own])) as readonly RoleRow[],
    memberships: memberships.filter(({ member, role }) => !(member === config.user && issuers.includes(role))),
  }
}

export function standingPrivileges(surveyed: Surveyed): StandingPrivilege[] {
  const roles = new Map(surveyed.roles.map((role) => [role.name, role]))
  const carrying = new Set([
    ...surveyed.groups,
    ...surveyed.objects.flatMap(({ holder }) => holder ?? []),
    ...surveyed.memberships
      .filter((one) => one.superuser || one.has_attributes || one.role.startsWith('pg_'))
      .map(({ role }) => role),
  ])
  const found: readonly Standing[] = [
    ...surveyed.roles.flatMap(ofRole),
    ...surveyed.memberships
      .filter((one) => carrying.has(one.role) && !(surveyed.groups.has(one.role) && !one.usable))
      .map(ofMembership),
    ...surveyed.objects.map((row) => ofObjects(row, surveyed.manyDatabases)),
  ]
  return found.map((standing) => {
    const role = roles.get(standing.holder)
    const seen = role?.last_seen_at
    return {
      ...standing,
      canLogin: role?.can_login ?? false,
      ...(seen !== null && seen !== undefined && { lastSeenAt: instant(Math.round(seen)) }),
    }
  })
}

type Standing = Omit<StandingPrivilege, 'canLogin' | 'lastSeenAt'>

const attributeRisks: Readonly<Record<string, Risk>> = {
  CREATEROLE: 'admin',
  REPLICATION: 'admin',
  BYPASSRLS: 'elevated',
  CREATEDB: 'elevated',
}

function ofRole({
  name: holder,
  superuser,
  attributes,
  never_expires: neverExpires,
  can_login: canLogin,
}: RoleRow): readonly Standing[] {
  return [
    ...(superuser ? [{ holder, kind: 'superuser', what: 'superuser', risk: 'admin' } as const] : []),
    // A superuser has every attribute, whether or not it is set.
    ...(superuser ? [] : attributes).map(
      (what) => ({ holder, kind: 'role-attribute', what, risk: attributeRisks[what] ?? 'elevated' }) as const,
    ),
    ...(canLogin && neverExpires
      ? [
          {
            holder,
            kind: 'password-never-expires',
            what: 'may log in, and its password never expires',
            risk: 'low',
          } as const,
        ]
      : []),
  ]
}

/** Roles that come with PostgreSQL and only show how the server is doing. The others reach data, files or programs. */
const observing = new Set([
  'pg_monitor',
  'pg_read_all_settings',
  'pg_read_all_stats',
  'pg_stat_scan_tables',
  'pg_checkpoint',
  'pg_use_reserved_connections',
])

function membershipRisk({ role, superuser, has_attributes: hasAttributes }: MembershipRow): Risk {
  if (superuser || isSuperuserLike(role)) return 'admin'
  return observing.has(role) && !hasAttributes ? 'low' : 'elevated'
}

function ofMembership(row: MembershipRow): Standing {
  const { member: holder, role, through, direct, usable } = row
  const what = `${usable ? 'member of' : 'may make members of'} ${role}${direct || through === null ? '' : ` through ${through}`}`
  return { holder, kind: 'membership', what, risk: membershipRisk(row) }
}

function ofObjects(row: Surveyed['objects'][number], nameDatabase: boolean): Standing {
  const { standing, privileges, database, kind } = row
  const place = nameDatabase && kind !== 'database' ? ` (database ${database})` : ''
  const what =
    standing === 'ownership' ? `owns ${objectsInWords(row)}${place}` : `${privileges} on ${objectsInWords(row)}${place}`
  const onlyReads =
    standing === 'direct-grant' &&
    !/INSERT|UPDATE|DELETE|TRUNCATE|CREATE|MAINTAIN|TRIGGER|EXECUTE|GRANT/.test(privileges ?? '')
  return { holder: row.holder ?? 'PUBLIC', kind: standing, what, risk: onlyReads ? 'low' : 'elevated' }
}

function objectsInWords({ kind, schema, count, names }: ObjectRow): string {
  const [first = ''] = names
  if (kind === 'object to come')
    return `objects to come${schema === null ? '' : ` in ${schema}`}, made by ${names.join(', ')}`
  if (kind === 'schema' || kind === 'database')
    return count === 1 ? `${kind} ${first}` : `${count} ${kind}s (${listed(names, count)})`
  return count === 1 ? `${kind} ${schema}.${first}` : `${count} ${kind}s in ${schema} (${listed(names, count)})`
}

const listed = (names: readonly string[], count: number): string =>
  count > names.length ? `${names.join(', ')} and ${count - names.length} more` : names.join(', ')
