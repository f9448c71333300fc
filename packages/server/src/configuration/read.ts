/** Reads YAML files into what they declare, with the position of everything, so that a problem can point at it. */

import type { FieldProblem } from '@tidegate/api'
import { limits } from '@tidegate/api'
import { positionAt } from '@tidegate/core'
import type { Document } from 'yaml'
import { isNode, Lexer, parseDocument, Parser } from 'yaml'
import type { z } from 'zod'
import { configurationFile } from './schema.ts'
import type { DeclaredFile } from './schema.ts'
import type { SourceFile } from './snapshot.ts'

export type Path = readonly PropertyKey[]

/** A read file: what it says, and where it says it. */
export type ReadFile = {
  readonly source: SourceFile
  readonly declared: DeclaredFile
  /** `resources.yaml:12:5` for the deepest part of the path that is in the text. */
  readonly at: (path: Path) => string
}

export type Read = { readonly files: readonly ReadFile[]; readonly problems: readonly FieldProblem[] }

export function readFiles(sources: readonly SourceFile[]): Read {
  const files: ReadFile[] = []
  const problems: FieldProblem[] = []
  for (const source of sources) {
    const read = readFile(source)
    if ('problems' in read) problems.push(...read.problems)
    else files.push(read)
  }
  return { files, problems }
}

function readFile(source: SourceFile): ReadFile | { readonly problems: readonly FieldProblem[] } {
  const tooDeep = offsetTooDeep(source.text)
  if (tooDeep !== undefined) {
    const message = `It is nested more than ${limits.configDepth} deep.`
    return {
      problems: [{ field: place(source, tooDeep), message, remedy: 'No configuration needs that: correct it.' }],
    }
  }
  const document = parseDocument(source.text, { prettyErrors: false, stringKeys: true })
  const at = (path: Path): string => place(source, offsetOf(document, path))
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ pos: [offset], message }) => ({
      field: place(source, offset),
      message,
      remedy: 'Correct the YAML.',
    }))
    return { problems }
  }
  const value: unknown = safely(() => document.toJS({ maxAliasCount: 100 }))
  const result = configurationFile.safeParse(value ?? {})
  if (result.success) return { source, declared: result.data, at }
  return { problems: result.error.issues.map((issue) => problemOf(issue, at)) }
}

/**
 * Where the text is nested too deeply. Composing a document goes down by recursion, and a stack that ends at the wrong
 * moment ends the process; the parser below it keeps a stack of its own.
 */
function offsetTooDeep(text: string): number | undefined {
  const parser = new Parser()
  let offset = 0
  for (const token of new Lexer().lex(text)) {
    offset += token.length
    // What it makes is not wanted, only how deep it had to go.
    for (const made of parser.next(token)) void made
    if (parser.stack.length > limits.configDepth) return Math.min(offset, text.length)
  }
  return undefined
}

/** Too many aliases, an alias to nothing: what cannot be expanded is not an object, and the schema says so. */
function safely(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    return `unreadable: ${String(error)}`
  }
}

export function problemOf(issue: z.core.$ZodIssue, at: (path: Path) => string, under: Path = []): FieldProblem {
  const path = [...under, ...issue.path]
  return { field: at(path), message: path.length > 0 ? `${formatPath(path)}: ${issue.message}` : issue.message }
}

export const formatPath = (path: Path): string =>
  path.map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${String(part)}`)).join('')

/** Counted as in policies, so that an editor finds both. */
function place({ path, text }: SourceFile, offset: number): string {
  const { line, column } = positionAt(text, offset)
  return `${path}:${line}:${column}`
}

/** Where the deepest part of the path that is in the text begins. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length >= 0; length--) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return 0
}
