/**
 * The language of filters and paths: RFC 7644, sections 3.4.2.2 and 3.5.2, with the bracket that Entra ID puts before a
 * sub-attribute in filters too. What is read is bounded in length, comparisons and depth, so that reading it is cheap.
 */

import type { ScimType } from './errors.ts'
import { refusal } from './errors.ts'
import { scimLimits } from './limits.ts'

export type Path = { readonly schema?: string; readonly name: string; readonly sub?: string }

export const comparisons = ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'] as const
export type Comparison = (typeof comparisons)[number]
export type Comparand = string | number | boolean | null

export type Filter =
  | { readonly kind: 'and' | 'or'; readonly of: readonly Filter[] }
  | { readonly kind: 'not'; readonly of: Filter }
  | { readonly kind: 'present'; readonly path: Path }
  | { readonly kind: 'compare'; readonly path: Path; readonly op: Comparison; readonly value: Comparand }
  /** Of one of several values. */
  | { readonly kind: 'element'; readonly path: Path; readonly where: Filter }

/** What a patch changes: `emails[type eq "work"].value`. */
export type Target = { readonly path: Path; readonly where?: Filter }

type Token = { readonly kind: 'word' | 'text' | '(' | ')' | '[' | ']' | '].'; readonly text: string }

type Reading = { readonly tokens: readonly Token[]; at: number; terms: number; readonly wrong: ScimType }

/** Each alternative begins with a character that no other begins with: there is one way to read, and no way back. */
const lexeme = String.raw`\s*(?:([()[]|\]\.?)|("(?:[^"\\]|\\[^])*")|([^\s()[\]"]+))`

export function parseFilter(text: string): Filter {
  const reading = begin(text, 'invalidFilter')
  const filter = readOr(reading, 0)
  end(reading)
  return filter
}

export function parseTarget(text: string): Target {
  const reading = begin(text, 'invalidPath')
  const path = readPath(reading)
  if (peek(reading)?.kind !== '[') {
    end(reading)
    return { path }
  }
  const { where, sub } = readElement(reading, { path, depth: 0 })
  end(reading)
  return { path: { ...path, ...(sub !== undefined && { sub }) }, where }
}

/** Of a list such as `attributes=userName,name.familyName`. `undefined`: it is none. */
export function parsePath(text: string): Path | undefined {
  const colon = /^urn:/i.test(text) ? text.lastIndexOf(':') : -1
  const [, name, sub] = /^([a-z$][\w$-]*)(?:\.([a-z$][\w$-]*))?$/i.exec(text.slice(colon + 1)) ?? []
  if (name === undefined) return undefined
  return { name, ...(colon > 0 && { schema: text.slice(0, colon) }), ...(sub !== undefined && { sub }) }
}

function begin(text: string, wrong: ScimType): Reading {
  if (text.length > scimLimits.filterLength)
    throw refusal(wrong, `It is longer than ${scimLimits.filterLength} characters. Ask for less at once.`)
  const tokens: Token[] = []
  const form = new RegExp(lexeme, 'y')
  let read = 0
  for (let match = form.exec(text); match; match = form.exec(text)) {
    tokens.push(tokenOf(match))
    read = form.lastIndex
  }
  const rest = text.slice(read).trim()
  if (rest !== '') throw refusal(wrong, `It cannot be read from here on: ${shown(rest)}`)
  return { tokens, at: 0, terms: 0, wrong }
}

function tokenOf([, bracket, text, word = '']: RegExpExecArray): Token {
  if (bracket !== undefined) return { kind: bracket as Token['kind'], text: bracket }
  return text === undefined ? { kind: 'word', text: word } : { kind: 'text', text }
}

const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text)

const peek = ({ tokens, at }: Reading): Token | undefined => tokens[at]

const isWord = (token: Token | undefined, word: string): boolean =>
  token?.kind === 'word' && token.text.toLowerCase() === word

function take(reading: Reading, kind: Token['kind'], what: string): Token {
  const token = peek(reading)
  if (token?.kind !== kind) throw refusal(reading.wrong, `${what} is expected ${place(token)}.`)
  reading.at++
  return token
}

const place = (token: Token | undefined): string => (token ? `where ${shown(token.text)} stands` : 'at the end')

function end(reading: Reading): void {
  const token = peek(reading)
  if (token) throw refusal(reading.wrong, `and, or or the end is expected ${place(token)}.`)
}

function readOr(reading: Reading, depth: number): Filter {
  if (depth > scimLimits.filterDepth)
    throw refusal(reading.wrong, `Brackets stand more than ${scimLimits.filterDepth} deep. Write it flatter.`)
  return readSeveral(reading, 'or', () => readSeveral(reading, 'and', () => readTerm(reading, depth)))
}

function readSeveral(reading: Reading, kind: 'and' | 'or', readOne: () => Filter): Filter {
  const first = readOne()
  const of = [first]
  while (isWord(peek(reading), kind)) {
    reading.at++
    of.push(readOne())
  }
  return of.length === 1 ? first : { kind, of }
}

function readTerm(reading: Reading, depth: number): Filter {
  if (++reading.terms > scimLimits.filterTerms)
    throw refusal(reading.wrong, `It has more than ${scimLimits.filterTerms} comparisons. Ask for less at once.`)
  const negated = isWord(peek(reading), 'not') && reading.tokens[reading.at + 1]?.kind === '('
  if (negated) reading.at++
  if (peek(reading)?.kind === '(') {
    reading.at++
    const of = readOr(reading, depth + 1)
    take(reading, ')', ')')
    return negated ? { kind: 'not', of } : of
  }
  const path = readPath(reading)
  if (peek(reading)?.kind !== '[') return readComparison(reading, path)
  const { where, sub } = readElement(reading, { path, depth })
  if (sub === undefined) return { kind: 'element', path, where }
  const ofSame = readComparison(reading, { name: sub })
  return { kind: 'element', path, where: { kind: 'and', of: [where, ofSame] } }
}

function readPath(reading: Reading): Path {
  const { text } = take(reading, 'word', 'An attribute')
  const path = parsePath(text)
  if (!path) throw refusal(reading.wrong, `${shown(text)} is no name of an attribute.`)
  return path
}

type At = { readonly path: Path; readonly depth: number }

function readElement(reading: Reading, { path, depth }: At): { where: Filter; sub?: string } {
  if (path.sub !== undefined) throw refusal(reading.wrong, `${path.name}.${path.sub} has no values to choose from.`)
  reading.at++
  const where = readOr(reading, depth + 1)
  if (peek(reading)?.kind !== '].') {
    take(reading, ']', ']')
    return { where }
  }
  reading.at++
  const { name, sub, schema } = readPath(reading)
  if (sub !== undefined || schema !== undefined) throw refusal(reading.wrong, `${name} has no parts.`)
  return { where, sub: name }
}

function readComparison(reading: Reading, path: Path): Filter {
  const word = take(reading, 'word', 'An operator').text.toLowerCase()
  if (word === 'pr') return { kind: 'present', path }
  const op = comparisons.find((one) => one === word)
  if (!op) throw refusal(reading.wrong, `${shown(word)} is none of ${comparisons.join(', ')} and pr.`)
  return { kind: 'compare', path, op, value: readValue(reading) }
}

const words: Readonly<Record<string, Comparand>> = { true: true, false: false, null: null }

function readValue(reading: Reading): Comparand {
  const token = peek(reading)
  reading.at++
  if (token?.kind === 'text') return readText(token.text, reading.wrong)
  const word = token?.kind === 'word' ? token.text.toLowerCase() : ''
  if (Object.hasOwn(words, word)) return words[word] as Comparand
  if (/^-?\d{1,15}(\.\d{1,15})?$/.test(word)) return Number(word)
  throw refusal(reading.wrong, `A value in double quotes, a number, true, false or null is expected ${place(token)}.`)
}

function readText(quoted: string, wrong: ScimType): string {
  try {
    const text = JSON.parse(quoted) as string
    if (isText(text)) return text
  } catch {
    // What JSON does not know as an escape is none.
  }
  throw refusal(wrong, `${shown(quoted)} is not text as JSON writes it.`)
}

/** A zero, or half a character: neither can be stored, and nobody is called so. */
export const isText = (text: string): boolean => !/\0|\p{Cs}/u.test(text)
