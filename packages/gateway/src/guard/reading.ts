/** Rules out of JSON or YAML, field by field. All problems are told at once, each beginning with the field it is about. */

import { limits } from './limits.ts'

export type Place = {
  /** Empty: the whole. */
  readonly path: string
  /** What the whole is called. */
  readonly whole: string
  readonly problems: string[]
}

/** `undefined` where the value does not read; why is among the problems then. */
export type Reader<T> = (value: unknown, at: Place) => T | undefined

type Field<T> = { readonly read: Reader<T>; readonly needed?: true }

/** One for each field that there may be. */
export type Readers<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> }

const within = (at: Place, field: string): Place => ({ ...at, path: at.path === '' ? field : `${at.path}.${field}` })

/** A field that is not known is a problem: a rule that was misspelled would not hold. */
export const fieldsOf =
  <T extends object>(readers: Readers<T>): Reader<T> =>
  (value, at) => {
    const given = readMapping(value, at, Object.keys(readers))
    if (given === undefined) return undefined
    const fields = Object.keys(readers) as (keyof T & string)[]
    for (const name of [...given.keys()].filter((key) => !Object.hasOwn(readers, key)))
      at.problems.push(`${within(at, name).path}: is no field; the fields are ${fields.join(', ')}`)
    for (const name of fields.filter((field) => readers[field].needed === true && !given.has(field)))
      at.problems.push(`${within(at, name).path}: has to be there`)
    const known = fields.filter((field) => given.has(field))
    return Object.fromEntries(
      known.map((field) => [field, readers[field].read(given.get(field), within(at, field))]),
    ) as T
  }

/** What stands under each name, whatever the names are. */
export const entriesOf =
  <T>(read: (name: string, value: unknown, at: Place) => T | undefined): Reader<readonly T[]> =>
  (value, at) => {
    const given = readMapping(value, at, [])
    return given && [...given].flatMap(([name, item]) => read(name, item, within(at, name)) ?? [])
  }

function readMapping(
  value: unknown,
  { path, whole, problems }: Place,
  fields: readonly string[],
): ReadonlyMap<string, unknown> | undefined {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return new Map(Object.entries(value))
  problems.push(`${path || whole}: has to be an object${fields.length > 0 ? ` with ${fields.join(', ')}` : ''}`)
  return undefined
}

export const listOf =
  <T>(read: Reader<T>): Reader<readonly T[]> =>
  (value, at) => {
    if (!Array.isArray(value) || value.length === 0 || value.length > limits.listItems) {
      at.problems.push(`${at.path}: has to be a list of 1 to ${limits.listItems} items`)
      return undefined
    }
    return value.flatMap((item: unknown, index) => read(item, { ...at, path: `${at.path}[${index}]` }) ?? [])
  }

/** Texts that pass through `read`, with what one has to be. */
export const textOf =
  <T>(form: string, read: (text: string) => T | undefined): Reader<T> =>
  (value, { path, problems }) => {
    const found = typeof value === 'string' ? read(value) : undefined
    if (found === undefined) problems.push(`${path}: has to be ${form}`)
    return found
  }

/** One of these words. */
export const wordOf = <W extends string>(words: readonly W[]): Reader<W> =>
  textOf(`one of ${words.join(', ')}`, (text) => words.find((word) => word === text))
