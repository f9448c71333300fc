/**
 * Renders the `.sql` files of this folder, in the variables that psql knows, so that each can be read and run by hand:
 * `:"login"` is an identifier, `:'verifier'` a literal, and bare `:connections` text that is SQL already, which only the
 * functions below can make. What comes from a configuration or a target reaches a statement through here or as a bound
 * parameter, and in no other way.
 */

import { readFileSync } from 'node:fs'
import { limits } from '../limits.ts'

/** Text that is SQL. Made here only. */
export type Fragment = { readonly sql: string; readonly __brand: 'Fragment' }

export type Variables = Readonly<Record<string, string | Fragment>>

/** Reads the file once; the function it returns renders it. */
export function sqlFile(name: string): (variables?: Variables) => string {
  const text = readFileSync(new URL(`./sql/${name}`, import.meta.url), 'utf8')
  return (variables = {}) => renderSql(text, variables)
}

/** Throws for a variable without a value and for a value without a variable: both are slips in our own code. */
export function renderSql(text: string, variables: Variables): string {
  const unused = new Set(Object.keys(variables))
  const rendered = withoutComments(text).replace(variable, (written: string) => {
    const name = written.replaceAll(/[:"']/g, '')
    unused.delete(name)
    return renderVariable(written, Object.hasOwn(variables, name) ? variables[name] : undefined)
  })
  if (unused.size > 0) throw new TypeError(`no such variable: ${[...unused].join(', ')}`)
  return rendered
}

/** As in psql: `:"name"`, `:'name'` or `:name`. */
const variable = /(?<![:\w]):(?:"\w+"|'\w+'|\w+)/g

function renderVariable(written: string, value: string | Fragment | undefined): string {
  const [, form] = written
  if (typeof value === 'string' && form === '"') return quoteIdentifier(value)
  if (typeof value === 'string' && form === "'") return quoteLiteral(value)
  if (typeof value === 'object' && form !== '"' && form !== "'") return value.sql
  throw new TypeError(`${written} has no value of its form`)
}

/** A comment may name a variable, and a value with a line break in it would end the comment. */
const withoutComments = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !line.startsWith('--'))
    .join('\n')
    .trim()

/** @throws RangeError for a name that PostgreSQL cannot hold, or would cut to a different one */
export function quoteIdentifier(name: string): string {
  const fault = identifierFault(name)
  if (fault !== undefined) throw new RangeError(`${JSON.stringify(name.slice(0, 80))} ${fault}`)
  return `"${name.replaceAll('"', '""')}"`
}

/** Why a text cannot be the name of something in PostgreSQL; `undefined`: it can. */
export function identifierFault(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name.includes('\0')) return 'has a NUL in it'
  if (/\p{Surrogate}/u.test(name)) return 'is not well-formed Unicode'
  if (Buffer.byteLength(name) > limits.identifierBytes) return `is longer than ${limits.identifierBytes} bytes`
  return undefined
}

/** Means the same whatever `standard_conforming_strings` is set to. */
export function quoteLiteral(value: string): string {
  if (value.includes('\0')) throw new RangeError('a literal cannot have a NUL in it')
  if (/\p{Surrogate}/u.test(value)) throw new RangeError('a literal has to be well-formed Unicode')
  const doubled = value.replaceAll("'", "''")
  return doubled.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`
}

const fragment = (sql: string): Fragment => ({ sql, __brand: 'Fragment' })

export const nothing: Fragment = fragment('')

export function integer(value: number): Fragment {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer`)
  return fragment(String(value))
}

export const identifierList = (names: readonly string[]): Fragment => fragment(names.map(quoteIdentifier).join(', '))

/** `shop.orders`, quoted. */
export const qualified = (schema: string, name: string): Fragment =>
  fragment(`${quoteIdentifier(schema)}.${quoteIdentifier(name)}`)

/** Key words, for example privileges: letters and spaces. */
export function keywords(words: string): Fragment {
  if (!/^[A-Z]+( [A-Z]+)*$/.test(words)) throw new RangeError(`${JSON.stringify(words)} is not a key word`)
  return fragment(words)
}

/** A text that PostgreSQL has quoted itself, such as a `regprocedure`. Only for values read from its catalog as such. */
export const quotedByServer = (text: string): Fragment => fragment(text)

export const joined = (fragments: readonly Fragment[], separator: ', ' | ' ' | ''): Fragment =>
  fragment(fragments.map(({ sql }) => sql).join(separator))

export const inParentheses = (inner: Fragment): Fragment => fragment(`(${inner.sql})`)
