/** A role's `privileges` on a PostgreSQL resource, in configuration. */

import type { GivenTables } from '@tidegate/core'
import { z } from 'zod'
import type { RoleSpec } from '../contract.ts'
import { nameList, nameSchema, type PostgresConfig } from './config.ts'
import { groupName, reservedRoleName } from './names.ts'
import { identifierFault } from './sql-file.ts'

/** Whatever PostgreSQL is asked to do with these, it does as its own superuser would. */
const superuserLike = new Set(['pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'])

export const isSuperuserLike = (role: string): boolean => superuserLike.has(role)

const onColumns = ['select', 'insert', 'update', 'references']

const database = nameSchema.optional()

const oneOrMore = <const T extends readonly [string, ...string[]]>(privileges: T) =>
  z
    .array(z.enum(privileges, `privileges has to be out of ${privileges.join(', ')}`))
    .min(1, 'privileges has to name at least one')

const all = z.literal('*')
const allOrNames = (field: string) => z.union([all, nameList], `${field} has to be '*' or a list of names`)

const tables = z
  .strictObject({
    /** Absent: all configured databases. */
    database,
    schema: nameSchema,
    /** Views, materialised views and foreign tables count. `'*'`: all that are there when `align` runs. */
    tables: allOrNames('tables'),
    privileges: oneOrMore(['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']),
    columns: nameList.optional(),
  })
  .superRefine(({ columns, tables: names, privileges }, context) => {
    if (columns === undefined) return
    const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message })
    if (names === '*') refuse('columns', "columns goes with named tables; name them instead of '*'")
    const other = privileges.filter((privilege) => !onColumns.includes(privilege))
    if (other.length > 0)
      refuse('privileges', `${other.join(', ')} cannot be given on columns; give it in an item without columns`)
  })

const sequences = z.strictObject({
  database,
  schema: nameSchema,
  sequences: allOrNames('sequences'),
  privileges: oneOrMore(['usage', 'select', 'update']),
})

const functions = z.strictObject({
  database,
  schema: nameSchema,
  /** `total`, or where a name has several, `total(bigint, text)` with the types as PostgreSQL prints them. */
  functions: z.union(
    [all, z.array(z.string().min(1)).min(1, 'name at least one')],
    "functions has to be '*' or a list of names",
  ),
  privileges: oneOrMore(['execute']),
})

const memberOf = z.strictObject({
  /** Roles of the target itself, for example `pg_monitor`. */
  memberOf: nameList,
})

export const privilegesSchema = z
  .array(
    z.union([tables, sequences, functions, memberOf], {
      error: (issue) => (issue.code === 'invalid_union' ? unionMessage(issue.input) : undefined),
    }),
  )
  .min(1, 'privileges has to have at least one item')

export type Privileges = z.infer<typeof privilegesSchema>
export type PrivilegeItem = Privileges[number]
export type ObjectItem = Exclude<PrivilegeItem, { memberOf: unknown }>

/** A union says only that nothing matched. Which form was meant shows in the key that each alone has. */
function unionMessage(input: unknown): string {
  const forms = { tables, sequences, functions, memberOf }
  for (const [key, form] of Object.entries(forms)) {
    if (typeof input !== 'object' || input === null || !Object.hasOwn(input, key)) continue
    const issues = form.safeParse(input).error?.issues ?? []
    return issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
  }
  return 'an item has to have one of tables, sequences, functions (each with schema and privileges) or memberOf'
}

/** The databases that a role reaches into, in the order of the configuration. */
export function databasesOf(config: PostgresConfig, privileges: Privileges): readonly string[] {
  const items = privileges.filter((item): item is ObjectItem => !('memberOf' in item))
  const anywhere = items.length === 0 || items.some((item) => item.database === undefined)
  return anywhere ? config.databases : config.databases.filter((name) => items.some((item) => item.database === name))
}

/** Without what is given by membership in a role of the target's own, which only the target knows. */
export const tablesGiven = (privileges: Privileges): readonly GivenTables[] =>
  privileges.flatMap((item) =>
    'tables' in item ? [{ schema: item.schema, tables: item.tables, privileges: item.privileges }] : [],
  )

export const membershipsOf = (privileges: Privileges): readonly string[] => [
  ...new Set(privileges.flatMap((item) => ('memberOf' in item ? item.memberOf : []))),
]

export function roleProblems(config: PostgresConfig, roles: readonly RoleSpec<Privileges>[]): readonly string[] {
  return roles.flatMap((role) => [...nameProblems(config, role), ...itemProblems(config, role), ...riskProblems(role)])
}

function nameProblems(config: PostgresConfig, { name }: RoleSpec<Privileges>): readonly string[] {
  if (reservedRoleName.test(name)) {
    return [
      `role ${name}: a name that begins with grt_ or issuer_ would pass for a role of Tidegate's own; call the role something else`,
    ]
  }
  const fault = identifierFault(groupName(config, name))
  return fault === undefined
    ? []
    : [`role ${name}: with the prefix ${config.rolePrefix} its name ${fault}; shorten one of them`]
}

function itemProblems(config: PostgresConfig, { name, privileges }: RoleSpec<Privileges>): readonly string[] {
  const elsewhere = privileges.flatMap((item) => ('memberOf' in item ? [] : (item.database ?? [])))
  const own = membershipsOf(privileges).filter((role) => role.startsWith(config.rolePrefix))
  return [
    ...elsewhere
      .filter((database) => !config.databases.includes(database))
      .map((database) => `role ${name}: database ${database} is not one of connection.databases; add it there`),
    ...own.map(
      (role) => `role ${name}: memberOf names ${role}, which has Tidegate's own prefix; name a role of the target`,
    ),
  ]
}

function riskProblems({ name, risk, privileges }: RoleSpec<Privileges>): readonly string[] {
  if (risk === 'admin') return []
  return membershipsOf(privileges)
    .filter(isSuperuserLike)
    .map((role) => `role ${name}: ${role} is as good as superuser; give the role the risk admin, or leave it out`)
}
