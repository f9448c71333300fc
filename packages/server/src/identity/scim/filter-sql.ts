/** Filters as conditions of SQL, so that the store finds, counts and pages. All values are bound. */

import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Bound, BoundComparison } from './bound.ts'
import type { Comparison } from './filter.ts'
import type { Attribute, Place } from './schema.ts'

type Sql = RawBuilder<unknown>
type Condition = RawBuilder<boolean>

/** Where attributes are in the store. */
export type Columns = {
  /** Of an attribute with one value, or a part of one: as text, a boolean or a time, null where there is none. */
  readonly one: (place: Place) => Sql
  /** Whether any of its values is such, by parts of the same value. */
  readonly some: (attribute: Attribute, where: (read: (part: Attribute) => Sql) => Condition) => Condition
}

export function conditionOf(filter: Bound, columns: Columns): Condition {
  switch (filter.kind) {
    case 'and':
      return sql`(${sql.join(
        filter.of.map((one) => conditionOf(one, columns)),
        sql` and `,
      )})`
    case 'or':
      return sql`(${sql.join(
        filter.of.map((one) => conditionOf(one, columns)),
        sql` or `,
      )})`
    case 'not':
      return sql`(not ${conditionOf(filter.of, columns)})`
    case 'present':
      return present(filter, columns)
    case 'compare':
      return compared(filter, columns)
    case 'element':
      return columns.some(filter.attribute, (read) =>
        conditionOf(filter.where, { ...columns, one: ({ attribute }) => read(attribute) }),
      )
  }
}

function present({ attribute, part }: Place, { one, some }: Columns): Condition {
  if (!attribute.many) return sql`(${one({ attribute, ...(part && { part }) })} is not null)`
  return some(attribute, (read) => (part ? sql`${read(part)} is not null` : sql`true`))
}

function compared(filter: BoundComparison, { one, some }: Columns): Condition {
  const { attribute, part, op, value } = filter
  const place = { attribute, ...(part && { part }) }
  if (value === null) {
    const isThere = present(place, { one, some })
    return op === 'eq' ? sql`(not ${isThere})` : isThere
  }
  if (attribute.many && part) return some(attribute, (read) => test(read(part), { ...filter, value }))
  const column = one(place)
  const holds = test(column, { ...filter, value })
  // What is not there is not equal to anything.
  return op === 'ne' ? sql`(${column} is null or ${holds})` : holds
}

type Test = Pick<BoundComparison, 'leaf' | 'op'> & { readonly value: string | boolean }

/** Never null, so that `not` turns it. */
function test(column: Sql, { leaf, op, value }: Test): Condition {
  if (leaf.type === 'string') return textTest(column, { leaf, op, value })
  const bound = leaf.type === 'boolean' ? sql`${value}::boolean` : sql`${value}::timestamptz`
  return sql`(${column} is not null and ${column} ${sql.raw(operators[op])} ${bound})`
}

/** Only of comparisons that are operators in SQL; of the others there are none for these types. */
const operators: Record<Comparison, string> = {
  eq: '=',
  ne: '<>',
  gt: '>',
  ge: '>=',
  lt: '<',
  le: '<=',
  co: '=',
  sw: '=',
  ew: '=',
}

function textTest(column: Sql, { leaf, op, value }: Test): Condition {
  const fold = (one: Sql): Sql => (leaf.caseExact ? one : sql`lower(${one})`)
  const is = fold(column)
  const wanted = fold(sql`${value}::text`)
  return sql`(${column} is not null and ${textOperations[op](is, wanted)})`
}

/** Ordered by bytes, as nobody's language orders them, but everywhere the same. */
const ordered =
  (operator: string) =>
  (is: Sql, wanted: Sql): Sql =>
    sql`${is} collate "C" ${sql.raw(operator)} ${wanted}`

const textOperations: Record<Comparison, (is: Sql, wanted: Sql) => Sql> = {
  eq: (is, wanted) => sql`${is} = ${wanted}`,
  ne: (is, wanted) => sql`${is} <> ${wanted}`,
  co: (is, wanted) => sql`position(${wanted} in ${is}) > 0`,
  sw: (is, wanted) => sql`starts_with(${is}, ${wanted})`,
  ew: (is, wanted) => sql`right(${is}, char_length(${wanted})) = ${wanted}`,
  gt: ordered('>'),
  ge: ordered('>='),
  lt: ordered('<'),
  le: ordered('<='),
}
