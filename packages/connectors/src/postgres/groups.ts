/** Group roles themselves, and what they are members of: the part of `align` that concerns the cluster as a whole. */

import type { RoleSpec, Target } from '../contract.ts'
import type { Change, Problem } from './acl.ts'
import type { Session } from './attempt.ts'
import { type PostgresConfig } from './config.ts'
import { grantOfLogin, groupName, marks } from './names.ts'
import { membershipOptions } from './membership.ts'
import { isSuperuserLike, membershipsOf, type Privileges } from './privileges.ts'
import { sqlFile } from './sql-file.ts'

const groupsSql = sqlFile('align-groups.sql')
const membershipsSql = sqlFile('align-memberships.sql')
const namedRolesSql = sqlFile('align-named-roles.sql')
const makeGroupSql = sqlFile('align-make-group.sql')
const shapeGroupSql = sqlFile('align-shape-group.sql')
const joinSql = sqlFile('align-join.sql')
const leaveSql = sqlFile('leave.sql')

type PostgresTarget = Target<PostgresConfig, Privileges>
export type Within = Pick<Session, 'read' | 'write' | 'serverVersion'>
export type Plan = { readonly changes: readonly Change[]; readonly problems: readonly Problem[] }

export type Group = {
  readonly name: string
  readonly mark: string | null
  /** It can log in, or its members do not inherit. */
  readonly misshapen: boolean
  readonly attributes: readonly string[]
  readonly administered: boolean
  readonly members: readonly string[]
}

/** Those of this resource, also of roles that are no longer configured; and roles that have a name we want. */
export async function readGroups(
  { config, resource, roles }: PostgresTarget,
  { read }: Pick<Session, 'read'>,
): Promise<readonly Group[]> {
  const wanted = roles.map(({ name }) => groupName(config, name))
  return (await read(groupsSql(), [config.rolePrefix, marks.groupsOf(resource), wanted])) as readonly Group[]
}

export const isOurs = ({ resource }: Pick<PostgresTarget, 'resource'>, { mark }: Group): boolean =>
  mark?.startsWith(marks.groupsOf(resource)) === true

/** Of which logins of new grants are made members. */
export const groupsInUse = (target: PostgresTarget, groups: readonly Group[]): readonly Group[] => {
  const wanted = new Set(target.roles.map(({ name }) => groupName(target.config, name)))
  return groups.filter((group) => isOurs(target, group) && wanted.has(group.name))
}

/** Group roles to which nothing in the configuration corresponds, and that no grant is a member of. */
export const unusedGroups = (target: PostgresTarget, groups: readonly Group[]): readonly Group[] => {
  const wanted = new Set(target.roles.map(({ name }) => groupName(target.config, name)))
  return groups.filter(
    (group) =>
      isOurs(target, group) &&
      !wanted.has(group.name) &&
      !group.members.some((login) => grantOfLogin(target.config, login)),
  )
}

export function planGroups(target: PostgresTarget, groups: readonly Group[]): Plan {
  const byName = new Map(groups.map((group) => [group.name, group]))
  const strangers = groups.filter((group) => !isOurs(target, group))
  return {
    changes: [
      ...target.roles
        .filter(({ name }) => !byName.has(groupName(target.config, name)))
        .map((role) => makeGroup(target, role)),
      ...groups.filter((group) => isOurs(target, group) && group.misshapen).map(shapeGroup),
    ],
    problems: [
      ...strangers.map(({ name }): Problem => ({
        cause: 'misconfigured',
        message: `the target has a role ${name} that this resource did not make; choose another connection.rolePrefix, or drop that role`,
      })),
      ...groups
        .filter(({ attributes }) => attributes.length > 0)
        .map(({ name, attributes }): Problem => ({
          cause: 'refused',
          message: `someone gave ${name} ${attributes.join(', ')} on the target; a superuser has to take that back with ALTER ROLE`,
        })),
      ...groupsInUse(target, groups)
        .filter(({ administered }) => !administered)
        .map(({ name }): Problem => ({
          cause: 'refused',
          message: `the admin login may not make members of ${name}; a superuser has to run GRANT ${name} TO the admin login WITH ADMIN OPTION`,
        })),
    ],
  }
}

function makeGroup({ config, resource }: PostgresTarget, { name }: RoleSpec<Privileges>): Change {
  const group = groupName(config, name)
  return { sql: makeGroupSql({ group, mark: marks.group(resource, name) }), words: `make group role ${group}` }
}

const shapeGroup = ({ name }: Group): Change => ({
  sql: shapeGroupSql({ group: name }),
  words: `make ${name} a role without login whose members inherit`,
})

type Membership = {
  readonly group: string
  readonly role: string
  readonly admin: boolean
  readonly inherit: boolean
  readonly set: boolean
}
type NamedRole = {
  readonly name: string
  readonly superuser: boolean
  readonly carries: readonly string[]
  readonly ours: boolean
}

/** @param groups names of all group roles of the resource, also of those that are no longer configured */
export async function planMemberships(
  target: PostgresTarget,
  within: Within,
  groups: readonly string[],
): Promise<Plan> {
  const held = (await within.read(membershipsSql(), [groups])) as readonly Membership[]
  const names = target.roles.flatMap(({ privileges }) => membershipsOf(privileges))
  const named = (await within.read(namedRolesSql(), [names])) as readonly NamedRole[]
  const wanted = target.roles.flatMap((role) =>
    membershipsOf(role.privileges).map((name) => wantedMembership(target, { role, name, named })),
  )
  const joins = wanted.flatMap((one) => ('join' in one ? [one.join] : []))
  const isWanted = (one: Membership): boolean =>
    joins.some(({ group, role }) => group === one.group && role === one.role)
  const right = (one: Membership): boolean => isWanted(one) && one.inherit && !one.set && !one.admin
  const membership = membershipOptions(within)
  return {
    changes: [
      ...held
        .filter((one) => !right(one))
        .map(({ group, role }) => ({
          sql: leaveSql({ group: role, member: group }),
          words: `take ${group} out of ${role}`,
        })),
      ...joins
        .filter((join) => !held.some((one) => right(one) && one.group === join.group && one.role === join.role))
        .map(({ group, role }) => ({
          sql: joinSql({ role, group, membership }),
          words: `make ${group} a member of ${role}`,
        })),
    ],
    problems: wanted.flatMap((one) => ('join' in one ? [] : [one])),
  }
}

type Wish = { readonly role: RoleSpec<Privileges>; readonly name: string; readonly named: readonly NamedRole[] }

function wantedMembership(
  { config }: PostgresTarget,
  { role, name, named }: Wish,
): { readonly join: Pick<Membership, 'group' | 'role'> } | Problem {
  const found = named.find((one) => one.name === name)
  if (found === undefined) {
    return { cause: 'misconfigured', message: `role ${role.name}: the target has no role ${name}; correct memberOf` }
  }
  if (found.superuser) {
    return {
      cause: 'misconfigured',
      message: `role ${role.name}: ${name} makes superusers of its members; take it out of memberOf`,
    }
  }
  const dangerous = found.carries.filter(isSuperuserLike)
  if (dangerous.length > 0 && role.risk !== 'admin') {
    return {
      cause: 'misconfigured',
      message: `role ${role.name}: ${name} brings ${dangerous.join(', ')}, which is as good as superuser; give the role the risk admin, or leave it out`,
    }
  }
  if (!found.ours) {
    return {
      cause: 'refused',
      message: `role ${role.name}: the admin login may not grant ${name}; a superuser has to run GRANT ${name} TO the admin login WITH ADMIN OPTION, INHERIT FALSE, SET FALSE`,
    }
  }
  return { join: { group: groupName(config, role.name), role: name } }
}
