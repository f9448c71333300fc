/**
 * PostgreSQL's own grammar, compiled to WebAssembly. The package's wrapper has one instance for the life of the process;
 * a text that nests deep enough makes the engine run out of stack in the middle of it, and what is left is not to be
 * trusted with the next text. So instances are made here, thrown away after such a fault, and one is always spare.
 */

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import load from 'libpg-query/wasm/libpg-query.js'
import type { PgQueryModule } from 'libpg-query/wasm/libpg-query.js'
import { limits } from './limits.ts'
import { isFields, type Fields } from './nodes.ts'

export type Parsed =
  /** The statements, each as its one node. None for a text of comments and blanks. */
  | { readonly statements: readonly Fields[] }
  /** Completes "The statement …", and has nothing of the text in it. It may pass; otherwise it is the text's own. */
  | { readonly fault: string; readonly passing?: true }

export type Parser = {
  /** Takes any text, and never throws. */
  readonly parse: (text: string) => Parsed
}

/** The one of this process, for guards and masks; made when the first of them is. @throws where it cannot be loaded */
export const sharedParser: () => Promise<Parser> = once(createParser)

/** Makes one, and where that fails another the next time. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  const forget = (): void => {
    made = undefined
  }
  return () => {
    if (made === undefined) {
      made = make()
      made.catch(forget)
    }
    return made
  }
}

async function createParser(): Promise<Parser> {
  const make = await instanceMaker()
  const ready = await Promise.all(Array.from({ length: limits.parsers }, make))
  const loading = new Set<Promise<void>>()

  function refill(): void {
    if (ready.length + loading.size >= limits.parsers) return
    // Where loading fails, the next text tries again; until then texts are refused.
    const made: Promise<void> = make()
      .then((instance) => void ready.push(instance))
      .catch(() => undefined)
      .finally(() => loading.delete(made))
    loading.add(made)
  }

  function parse(text: string): Parsed {
    const fault = faultOf(text)
    if (fault !== undefined) return { fault }
    refill()
    const [instance] = ready
    if (instance === undefined) return { fault: 'cannot be read at this moment; send it again', passing: true }
    const { parsed, spent } = parseWith(instance, text)
    if (spent) {
      ready.shift()
      refill()
    }
    return parsed
  }

  return { parse }
}

/** Compiled once. An instance is there before the next event is handled, so that who made one break holds up no one else. */
async function instanceMaker(): Promise<() => Promise<PgQueryModule>> {
  // Calls into WebAssembly that V8 has drawn into other code can end the process: see the server's engine.ts.
  setFlagsFromString('--no-turbo-inline-js-wasm-calls')
  const path = createRequire(import.meta.url).resolve('libpg-query/wasm/libpg-query.wasm')
  const compiled = await WebAssembly.compile(await readFile(path))
  return () =>
    load({
      instantiateWasm: (imports, receive) => {
        receive(new WebAssembly.Instance(compiled, imports))
        return {}
      },
    })
}

/** What the parser would not see as PostgreSQL does: it reads up to a NUL, and a lone surrogate is no character. */
function faultOf(text: string): string | undefined {
  if (text.length > limits.textLength) return `is longer than the ${limits.textLength} characters that are judged`
  if (text.includes('\0')) return 'has a NUL in it'
  return /\p{Surrogate}/u.test(text) ? 'is not well-formed Unicode' : undefined
}

type Outcome = { readonly parsed: Parsed; readonly spent: boolean }

function parseWith(instance: PgQueryModule, text: string): Outcome {
  try {
    const parsed = readParsed(instance, text)
    return { parsed, spent: instance.HEAPU8.length > limits.parserMemoryBytes }
  } catch {
    // Out of stack or memory, in the parser or in reading what it made.
    return { parsed: { fault: 'is nested too deeply, or too large, to be read' }, spent: true }
  }
}

function readParsed(instance: PgQueryModule, text: string): Parsed {
  const { _malloc: allocate, _free: free } = instance
  const { _wasm_parse_query_raw: parseRaw, _wasm_free_parse_result: freeResult } = instance
  const sizeBytes = instance.lengthBytesUTF8(text) + 1
  const pointer = allocate(sizeBytes)
  if (pointer === 0) throw new Error('no memory for the text')
  instance.stringToUTF8(text, pointer, sizeBytes)
  const result = parseRaw(pointer)
  if (result === 0) throw new Error('no memory for the result')
  const parsed = readResult(instance, result)
  freeResult(result)
  free(pointer)
  return parsed
}

/** `PgQueryParseResult` is the tree, what went to stderr, and the error; `cursorpos` is the fifth field of that. */
function readResult(instance: PgQueryModule, result: number): Parsed {
  const error = instance.getValue(result + 8, 'i32')
  if (error === 0) return { statements: statementsOf(instance.UTF8ToString(instance.getValue(result, 'i32'))) }
  const position = instance.getValue(error + 16, 'i32')
  return { fault: `cannot be read by PostgreSQL's grammar${position > 0 ? `, from character ${position} on` : ''}` }
}

/** @throws SyntaxError for what is not a tree */
function statementsOf(json: string): readonly Fields[] {
  const { stmts } = JSON.parse(json) as { readonly stmts?: readonly { readonly stmt?: unknown }[] }
  return (stmts ?? []).map(({ stmt }) => {
    if (!isFields(stmt)) throw new SyntaxError('a statement without a node')
    return stmt
  })
}
