/** Filters about attributes that there are, compared as these are compared; and what they say of a value in memory. */

import { refusal } from './errors.ts'
import type { Comparison, Filter, Path } from './filter.ts'
import type { Attribute, Place, ResourceType } from './schema.ts'
import { named, placeOf } from './schema.ts'

/** By its one value, or by any of several. */
export type BoundComparison = Place & {
  readonly kind: 'compare'
  /** The attribute or its part that is compared: a plain one. */
  readonly leaf: Attribute
  readonly op: Comparison
  readonly value: string | boolean | null
}

export type Bound =
  | { readonly kind: 'and' | 'or'; readonly of: readonly Bound[] }
  | { readonly kind: 'not'; readonly of: Bound }
  | (Place & { readonly kind: 'present' })
  | BoundComparison
  | { readonly kind: 'element'; readonly attribute: Attribute; readonly where: Bound }

type Find = (path: Path) => Place | undefined

export const bindFilter = (filter: Filter, type: ResourceType): Bound => bind(filter, (path) => placeOf(type, path))

/** About one value of an attribute that has several. */
export const bindElement = (filter: Filter, attribute: Attribute): Bound => bind(filter, partOf(attribute))

const partOf =
  ({ parts = [] }: Attribute): Find =>
  ({ name, sub, schema }) => {
    const attribute = sub === undefined && schema === undefined ? named(parts, name) : undefined
    return attribute && { attribute }
  }

function bind(filter: Filter, find: Find): Bound {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return { kind: filter.kind, of: filter.of.map((one) => bind(one, find)) }
    case 'not':
      return { kind: 'not', of: bind(filter.of, find) }
    case 'present':
      return { kind: 'present', ...found(find, filter.path) }
    case 'compare':
      return comparison(found(find, filter.path), filter)
    case 'element': {
      const { attribute } = found(find, filter.path)
      if (!attribute.many) throw refusal('invalidFilter', `${attribute.name} has no values to choose from.`)
      return { kind: 'element', attribute, where: bind(filter.where, partOf(attribute)) }
    }
  }
}

function found(find: Find, path: Path): Place {
  const place = find(path)
  if (place) return place
  const name = path.sub === undefined ? path.name : `${path.name}.${path.sub}`
  throw refusal('invalidFilter', `There is no attribute ${name} to filter by. /Schemas has those that there are.`)
}

const ordering: readonly Comparison[] = ['gt', 'ge', 'lt', 'le']

function comparison(place: Place, { op, value }: Filter & { kind: 'compare' }): BoundComparison {
  const whole = place.part ?? place.attribute
  const part = whole.type === 'complex' ? named(whole.parts ?? [], 'value') : undefined
  const leaf = part ?? whole
  const wrong = (words: string) => refusal('invalidFilter', `${leaf.name} ${words}.`)
  if (leaf.type === 'complex') throw wrong('has parts. Compare one of them')
  if (value === null && op !== 'eq' && op !== 'ne') throw wrong(`cannot be compared with null by ${op}`)
  if (leaf.type === 'boolean' && op !== 'eq' && op !== 'ne')
    throw wrong(`is true or false, and ${op} says nothing of it`)
  const bound = value === null ? null : comparable(leaf, value)
  if (bound === undefined) throw wrong(`is a ${leaf.type}, and ${JSON.stringify(value)} is none`)
  if (leaf.type === 'dateTime' && op !== 'eq' && op !== 'ne' && !ordering.includes(op))
    throw wrong(`is a time, and ${op} says nothing of it`)
  return { kind: 'compare', ...place, ...(part && { part }), leaf, op, value: bound }
}

function comparable({ type }: Attribute, value: string | number | boolean): string | boolean | undefined {
  if (type === 'boolean') return asBoolean(value)
  if (typeof value !== 'string') return undefined
  if (type !== 'dateTime') return value
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? undefined : new Date(at).toISOString()
}

/** Entra ID writes them as text, and begins them with a capital. */
export function asBoolean(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value
  const word = typeof value === 'string' ? value.toLowerCase() : ''
  return word === 'true' ? true : word === 'false' ? false : undefined
}

type Fields = Readonly<Record<string, unknown>>

/** The same that the store says of it, in memory. */
export function matches(filter: Bound, fields: Fields): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.of.every((one) => matches(one, fields))
    case 'or':
      return filter.of.some((one) => matches(one, fields))
    case 'not':
      return !matches(filter.of, fields)
    case 'present':
      return valuesOf(fields, filter).length > 0
    case 'compare':
      return comparesWell(filter, valuesOf(fields, filter))
    case 'element':
      return elementsOf(fields, filter.attribute).some((one) => matches(filter.where, one))
  }
}

const elementsOf = (fields: Fields, { name }: Attribute): Fields[] =>
  [fields[name] ?? []].flat().filter((one): one is Fields => typeof one === 'object' && one !== null)

function valuesOf(fields: Fields, { attribute, part }: Place): unknown[] {
  if (part) return elementsOf(fields, attribute).flatMap((one) => one[part.name] ?? [])
  return [fields[attribute.name] ?? []].flat()
}

function comparesWell({ attribute, leaf, op, value }: BoundComparison, values: readonly unknown[]): boolean {
  if (value === null) return (op === 'eq') === (values.length === 0)
  // What is not there is not equal to anything.
  if (op === 'ne' && !attribute.many && values.length === 0) return true
  const fold = (one: unknown): unknown =>
    typeof one === 'string' && leaf.type === 'string' && !leaf.caseExact ? one.toLowerCase() : one
  return values.some((one) => tests[op](fold(one), fold(value)))
}

const order = (a: unknown, b: unknown): number => Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)))

const tests: Record<Comparison, (a: unknown, b: unknown) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  co: (a, b) => String(a).includes(String(b)),
  sw: (a, b) => String(a).startsWith(String(b)),
  ew: (a, b) => String(a).endsWith(String(b)),
  gt: (a, b) => order(a, b) > 0,
  ge: (a, b) => order(a, b) >= 0,
  lt: (a, b) => order(a, b) < 0,
  le: (a, b) => order(a, b) <= 0,
}
