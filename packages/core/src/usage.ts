/** What was used, compared with what a role gives: so that a role can be made to fit. */

/** Kinds of statements by table, as they were written: `orders`, `shop.orders`. Under the empty name, of no table. */
export type UsedTables = Readonly<Record<string, readonly string[]>>

/** One item of a role's privileges. `'*'`: all tables of the schema. */
export type GivenTables = {
  readonly schema: string
  readonly tables: '*' | readonly string[]
  /** `select`, `insert`, … */
  readonly privileges: readonly string[]
}

export type UseComparison = {
  /** Given and not used: privileges by `schema.table`, or by `schema.*` where no table of the schema used them. */
  readonly unused: Readonly<Record<string, readonly string[]>>
  /** For each `schema.*` given: the tables that were used. */
  readonly narrower: Readonly<Record<string, readonly string[]>>
  /** Used by a name that none of what was given explains: given otherwise, refused by the target, or a view of its own. */
  readonly elsewhere: readonly string[]
}

/** The privilege that a kind of statement needs on the table it is about. */
const privilegeOf: Readonly<Record<string, string>> = {
  SELECT: 'select',
  INSERT: 'insert',
  UPDATE: 'update',
  DELETE: 'delete',
  TRUNCATE: 'truncate',
  'SELECT FOR UPDATE': 'update',
  'CREATE TRIGGER': 'trigger',
}

/** A bare name counts for every schema of the search path; without one, for every schema. */
export function compareUse(
  used: UsedTables,
  given: readonly GivenTables[],
  searchPath?: readonly string[],
): UseComparison {
  const items = given.flatMap(itemsOf)
  const names = Object.keys(used).filter((name) => name !== '')
  const isOf = ({ schema, table }: Item, name: string): boolean => {
    if (name.includes('.')) return name === `${schema}.${table}` || (table === '*' && name.startsWith(`${schema}.`))
    return (table === '*' || name === table) && (searchPath?.includes(schema) ?? true)
  }
  const usedBy = (item: Item): readonly string[] => names.filter((name) => isOf(item, name))
  const unused = items.map(
    (item) =>
      [
        item.name,
        unusedOf(
          item,
          usedBy(item).flatMap((name) => used[name] ?? []),
        ),
      ] as const,
  )
  const whole = items.filter(({ table }) => table === '*')
  return {
    unused: Object.fromEntries(unused.filter(([, privileges]) => privileges.length > 0)),
    narrower: Object.fromEntries(whole.map((item) => [item.name, usedBy(item)])),
    elsewhere: names.filter((name) => !items.some((item) => isOf(item, name))),
  }
}

type Item = {
  readonly name: string
  readonly schema: string
  readonly table: string
  readonly privileges: readonly string[]
}

function itemsOf({ schema, tables, privileges }: GivenTables): readonly Item[] {
  const names = tables === '*' ? ['*'] : tables
  return names.map((table) => ({ name: `${schema}.${table}`, schema, table, privileges }))
}

function unusedOf({ privileges }: Item, kinds: readonly string[]): readonly string[] {
  const needed = new Set(kinds.map((kind) => privilegeOf[kind]))
  return privileges.filter((privilege) => !needed.has(privilege))
}
