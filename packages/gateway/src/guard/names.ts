/** Names in rules, and how a name in a statement is compared with them. */

import type { TableName } from './facts.ts'
import { limits } from './limits.ts'

/** A table, or with `*` all tables of a schema. Spelled as in the catalog. */
export type TablePattern = {
  /** Absent: whatever the schema. */
  readonly schema?: string
  readonly table: string
}

const part = /"(?:[^"]|"")+"|[^".\s][^".]*/y

/** `table`, `schema.table`, `schema.*`; a name with a dot in it in quotes. `undefined` where it does not read. */
export function readTablePattern(text: string): TablePattern | undefined {
  const parts = partsOf(text)
  const [first, second] = parts ?? []
  if (parts === undefined || first === undefined || parts.length > 2) return undefined
  if (second !== undefined) return first === '*' ? undefined : { schema: first, table: second }
  return first === '*' ? undefined : { table: first }
}

function partsOf(text: string): readonly string[] | undefined {
  const parts: string[] = []
  for (let at = 0; at <= text.length; at += 1) {
    part.lastIndex = at
    const [found] = part.exec(text) ?? []
    if (found === undefined) return undefined
    parts.push(found.startsWith('"') ? found.slice(1, -1).replaceAll('""', '"') : found.trim())
    at += found.length
    if (at < text.length && text[at] !== '.') return undefined
  }
  return parts.every(isName) ? parts : undefined
}

/** A longer one would be cut off by PostgreSQL, and never be met. */
export const isName = (name: string): boolean =>
  name !== '' && !name.includes('\0') && Buffer.byteLength(name) <= limits.nameBytes

/**
 * Where the server's encoding has one byte to a character, PostgreSQL folds É to é, and its grammar for UTF-8 does not.
 * What is denied is therefore denied in either case.
 */
export const loosely = (name: string, other: string): boolean =>
  name === other || (/[^\p{ASCII}]/u.test(name) && name.toLowerCase() === other.toLowerCase())

export type SearchPath = readonly string[] | undefined

/** Whether a name could mean what the pattern says. Without a search path, a bare name could be in any schema. */
export function couldBe({ schema, name }: TableName, pattern: TablePattern, searchPath: SearchPath): boolean {
  if (pattern.table !== '*' && !loosely(name, pattern.table)) return false
  if (pattern.schema === undefined) return true
  if (schema !== undefined) return loosely(schema, pattern.schema)
  return searchPath === undefined || schemasOf(name, searchPath).includes(pattern.schema)
}

/** Whether a name can mean nothing else than what one of the patterns says. */
export function mustBe(name: TableName, patterns: readonly TablePattern[], searchPath: SearchPath): boolean {
  const isIn = (schema: string | undefined): boolean =>
    patterns.some(
      (pattern) =>
        (pattern.schema === undefined || pattern.schema === schema) &&
        (pattern.table === '*' || pattern.table === name.name),
    )
  if (name.schema !== undefined) return isIn(name.schema)
  return searchPath === undefined ? isIn(undefined) : schemasOf(name.name, searchPath).every(isIn)
}

/** Where PostgreSQL looks for a bare name. Its own catalog comes first, and all that is in it begins with `pg_`. */
const schemasOf = (name: string, searchPath: readonly string[]): readonly string[] =>
  name.startsWith('pg_') ? ['pg_catalog', ...searchPath] : searchPath

/** `schema.table`, for people. */
export const shownTable = ({ schema, name }: TableName): string =>
  shown(schema === undefined ? name : `${schema}.${name}`)

/** A name out of a statement, in a line of a log or a terminal: nothing in it that would steer these. */
export const shown = (name: string): string => name.replaceAll(/\p{C}/gu, '?')

/** Whether a name, in any case, is one of these; a `*` in them stands for anything. */
export function nameMatcher(names: readonly string[]): (name: string) => boolean {
  const whole = new Set(names.filter((name) => !name.includes('*')).map((name) => name.toLowerCase()))
  const forms = names.filter((name) => name.includes('*')).map((name) => starred(name.toLowerCase()))
  return (name) => {
    const lower = name.toLowerCase()
    return whole.has(lower) || forms.some((form) => form.test(lower))
  }
}

const starred = (form: string): RegExp =>
  new RegExp(`^${form.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '.*')}$`, 's')
