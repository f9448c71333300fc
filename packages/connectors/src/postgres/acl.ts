/** What group roles hold and what they should hold, as values: pure. */

import type { RoleSpec } from '../contract.ts'
import type { PostgresConfig } from './config.ts'
import { groupName } from './names.ts'
import { databasesOf, type ObjectItem, type Privileges } from './privileges.ts'
import {
  type Fragment,
  identifierList,
  inParentheses,
  joined,
  keywords,
  nothing,
  qualified,
  quotedByServer,
  sqlFile,
} from './sql-file.ts'

const grantSql = sqlFile('align-grant.sql')
const revokeSql = sqlFile('align-revoke.sql')
const revokeDefaultSql = sqlFile('align-revoke-default.sql')

export type ObjectKind = 'table' | 'sequence' | 'schema' | 'function' | 'database'

/** One privilege of one group role on one thing. */
export type Holding = {
  readonly group: string
  /** `default`: on objects to come. */
  readonly kind: ObjectKind | 'default'
  readonly schema: string | null
  /** Of a function, its signature as PostgreSQL quotes it; of a `default`, the role that will make the objects. */
  readonly name: string
  /** Null: the thing as a whole. Of a `default`, the kind of objects to come. */
  readonly column: string | null
  readonly privilege: string
}

export type Held = Holding & {
  readonly grantable: boolean
  /** The admin may revoke it. */
  readonly ours: boolean
}

/** Something on the target that can be granted on. */
export type TargetObject = {
  readonly kind: ObjectKind
  readonly schema: string | null
  readonly name: string
  /** A function's name without arguments, and the types of those. */
  readonly plain: string | null
  readonly arguments: string | null
  readonly ours: boolean
  /** Everyone has what is implied (CONNECT, USAGE) anyway. */
  readonly public: boolean
  readonly columns: readonly string[]
}

export type Problem = { readonly cause: 'misconfigured' | 'refused'; readonly message: string }

type Wanted = { readonly holdings: readonly Holding[]; readonly problems: readonly Problem[] }

type Place = { readonly config: PostgresConfig; readonly database: string; readonly objects: readonly TargetObject[] }

/** What the configuration says the groups of these roles hold in one database. */
export function wantedIn(place: Place, roles: readonly RoleSpec<Privileges>[]): Wanted {
  const wanted = roles.map((role) => wantedOf(place, role))
  return { holdings: wanted.flatMap(({ holdings }) => holdings), problems: wanted.flatMap(({ problems }) => problems) }
}

function wantedOf(place: Place, { name, privileges }: RoleSpec<Privileges>): Wanted {
  const { config, database } = place
  const group = groupName(config, name)
  const items = privileges.filter(
    (item): item is ObjectItem => !('memberOf' in item) && (item.database ?? database) === database,
  )
  const uses = [
    ...(databasesOf(config, privileges).includes(database) ? [implied(place, 'database', database)] : []),
    ...[...new Set(items.map(({ schema }) => schema))].map((schema) => implied(place, 'schema', schema)),
    ...items.flatMap((item) => ofItem(place, item)),
  ]
  const holdings = new Map<string, Holding>()
  for (const use of uses) {
    if ('object' in use && use.object.ours)
      for (const holding of spelled(group, use)) holdings.set(keyOf(holding), holding)
  }
  return { holdings: [...holdings.values()], problems: uses.flatMap((use) => problemsOf(name, database, use)) }
}

/** Privileges on a thing that is there, or a sentence on why there is none. */
type Use =
  | {
      readonly object: TargetObject
      readonly privileges: readonly string[]
      readonly columns?: readonly string[] | undefined
      readonly implied: boolean
    }
  | { readonly missing: string }

const impliedPrivilege = { database: 'CONNECT', schema: 'USAGE' } as const

function implied({ objects }: Place, kind: 'database' | 'schema', name: string): Use {
  const object = objects.find((one) => one.kind === kind && one.name === name)
  return object === undefined
    ? { missing: `${kind} ${name}` }
    : { object, privileges: [impliedPrivilege[kind]], implied: true }
}

function ofItem({ objects }: Place, item: ObjectItem): readonly Use[] {
  const [kind, wanted] = namesOf(item)
  const here = objects.filter((object) => object.kind === kind && object.schema === item.schema)
  const columns = 'columns' in item ? item.columns : undefined
  const use = (object: TargetObject): Use => ({ object, privileges: item.privileges, columns, implied: false })
  if (wanted === '*') return here.map(use)
  return wanted.flatMap((name): readonly Use[] => {
    const matching = here.filter((object) => isCalled(object, name))
    const [first, second] = matching
    if (first === undefined) return [{ missing: `${kind} ${item.schema}.${name}${alternatives(here, name)}` }]
    if (second !== undefined) return [{ missing: `single function ${item.schema}.${name}${alternatives(here, name)}` }]
    const absent = (columns ?? []).filter((column) => !first.columns.includes(column))
    return absent.length > 0
      ? absent.map((column) => ({ missing: `column ${column} of ${item.schema}.${name}` }))
      : [use(first)]
  })
}

function namesOf(item: ObjectItem): readonly ['table' | 'sequence' | 'function', '*' | readonly string[]] {
  if ('tables' in item) return ['table', item.tables]
  return 'sequences' in item ? ['sequence', item.sequences] : ['function', item.functions]
}

const signatureOf = ({ plain, arguments: types }: TargetObject): string => `${plain}(${types})`

const withoutSpaces = (text: string): string => text.replaceAll(/\s*([(),])\s*/g, '$1')

const isCalled = (object: TargetObject, name: string): boolean =>
  object.kind === 'function'
    ? object.plain === name || withoutSpaces(signatureOf(object)) === withoutSpaces(name)
    : object.name === name

function alternatives(here: readonly TargetObject[], name: string): string {
  const [plain] = name.split('(')
  const found = here.filter((object) => object.plain === plain).map(signatureOf)
  return found.length === 0 ? '' : ` (there is ${found.join(' and ')})`
}

function problemsOf(role: string, database: string, use: Use): readonly Problem[] {
  if ('missing' in use) {
    return [
      {
        cause: 'misconfigured',
        message: `role ${role}: ${database} has no ${use.missing}; correct the privileges, or make it there`,
      },
    ]
  }
  const { object } = use
  if (object.ours || (use.implied && object.public)) return []
  return [
    {
      cause: 'refused',
      message: `role ${role}: the admin login may not grant on ${describe(object)} in ${database}; make it a member of the owner of that`,
    },
  ]
}

const spelled = (group: string, use: Extract<Use, { object: unknown }>): readonly Holding[] =>
  use.privileges.flatMap((privilege) =>
    (use.columns ?? [null]).map((column) => ({
      group,
      kind: use.object.kind,
      schema: use.object.schema,
      name: use.object.name,
      column,
      privilege: privilege.toUpperCase(),
    })),
  )

const keyOf = ({ group, kind, schema, name, column, privilege }: Holding): string =>
  JSON.stringify([group, kind, schema, name, column, privilege])

export type Difference = { readonly revoke: readonly Held[]; readonly grant: readonly Holding[] }

/** A privilege that may be passed on is one too many: it is taken and given anew without that. */
export function difference(wanted: readonly Holding[], held: readonly Held[]): Difference {
  const wantedKeys = new Set(wanted.map(keyOf))
  const right = (one: Held): boolean => wantedKeys.has(keyOf(one)) && !one.grantable
  const rightKeys = new Set(held.filter(right).map(keyOf))
  return { revoke: held.filter((one) => !right(one)), grant: wanted.filter((one) => !rightKeys.has(keyOf(one))) }
}

export type Change = { readonly sql: string; readonly words: string }

/** Revocations first: taking a privilege on a table takes it on the columns as well. */
export const changesFor = ({ revoke, grant }: Difference): readonly Change[] => [
  ...byThing(revoke).map((holdings) => change('revoke', holdings)),
  ...byThing(grant).map((holdings) => change('grant', holdings)),
]

type Holdings = readonly [Holding, ...Holding[]]

/** All privileges of one group on one thing, to be one statement. */
function byThing(holdings: readonly Holding[]): readonly Holdings[] {
  const things = new Map<string, [Holding, ...Holding[]]>()
  for (const holding of holdings) {
    const { group, kind, schema, name, column } = holding
    const thing = JSON.stringify([group, kind, schema, name, kind === 'default' ? column : null])
    const those = things.get(thing)
    if (those === undefined) things.set(thing, [holding])
    else those.push(holding)
  }
  return [...things.values()]
}

function change(verb: 'grant' | 'revoke', holdings: Holdings): Change {
  const [{ group, kind, schema, name, column }] = holdings
  const what = kind === 'default' ? `objects to come (${column}) of ${name}` : describe({ kind, schema, name })
  const privileges = [...new Set(holdings.map((one) => words(kind, one)))].join(', ')
  const sentence = `${verb} ${privileges} on ${what} ${verb === 'grant' ? 'to' : 'from'} ${group}`
  return { sql: statement(verb, holdings), words: sentence }
}

const words = (kind: Holding['kind'], { privilege, column }: Holding): string =>
  column === null || kind === 'default' ? privilege : `${privilege} (${column})`

function statement(verb: 'grant' | 'revoke', holdings: Holdings): string {
  const [{ group, kind, schema, name, column }] = holdings
  const privileges = joined(privilegeList(kind, holdings), ', ')
  if (kind !== 'default') {
    return (verb === 'grant' ? grantSql : revokeSql)({ privileges, object: objectSql({ kind, schema, name }), group })
  }
  const scope = schema === null ? nothing : joined([keywords('IN SCHEMA'), identifierList([schema])], ' ')
  return revokeDefaultSql({ maker: name, scope, privileges, objects: keywords(column ?? ''), group })
}

function privilegeList(kind: Holding['kind'], holdings: Holdings): readonly Fragment[] {
  const columns = new Map<string, string[]>()
  for (const { privilege, column } of holdings) {
    const those = columns.get(privilege) ?? []
    columns.set(privilege, column === null || kind === 'default' ? those : [...those, column])
  }
  const whole = new Set(
    holdings.filter(({ column }) => column === null || kind === 'default').map(({ privilege }) => privilege),
  )
  return [...columns].flatMap(([privilege, names]) => [
    ...(whole.has(privilege) ? [keywords(privilege)] : []),
    ...(names.length > 0 ? [joined([keywords(privilege), inParentheses(identifierList(names))], ' ')] : []),
  ])
}

type Thing = { readonly kind: ObjectKind; readonly schema: string | null; readonly name: string }

const objectWords = {
  table: 'TABLE',
  sequence: 'SEQUENCE',
  schema: 'SCHEMA',
  function: 'ROUTINE',
  database: 'DATABASE',
} as const

const objectSql = ({ kind, schema, name }: Thing): Fragment =>
  joined([keywords(objectWords[kind]), nameSql(kind, schema, name)], ' ')

function nameSql(kind: ObjectKind, schema: string | null, name: string): Fragment {
  if (kind === 'function') return quotedByServer(name)
  const withSchema = kind === 'table' || kind === 'sequence'
  return withSchema && schema !== null ? qualified(schema, name) : identifierList([name])
}

const describe = ({ kind, schema, name }: Thing): string =>
  kind === 'table' || kind === 'sequence' ? `${kind} ${schema}.${name}` : `${kind} ${name}`
