/** The typed client: one method per operation, made from the table. */

import type { Problem } from './errors.ts'
import { ApiError, isErrorCode } from './errors.ts'
import type { Input, Operation, OperationId, Output } from './operations.ts'
import { operations, pathParameters } from './operations.ts'

export type CallOptions = {
  /** For operations that take one. The same key and input are done once, however often they are sent. */
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal
  /** Of an operation that answers more than once: told each answer as it comes. What the call resolves to is the last. */
  readonly onAnswer?: (answer: unknown) => void
}

export type Client = {
  readonly [Op in OperationId]: (input: Input<Op>, options?: CallOptions) => Promise<Output<Op>>
}

export type ClientConfig = {
  /** Such as `http://127.0.0.1:7070`. */
  readonly url: string
  /** Absent: `fetch` says who calls. */
  readonly token?: string
  readonly fetch?: typeof fetch
}

/** @throws {ApiError} with the server's code; `unavailable` where no server answers */
export function createClient(config: ClientConfig): Client {
  const entries = Object.entries(operations).map(([id, operation]) => [
    id,
    (input: Record<string, unknown>, options?: CallOptions) =>
      call({ config, operation, input, options: options ?? {} }),
  ])
  return Object.fromEntries(entries) as Client
}

type Call = { config: ClientConfig; operation: Operation; input: Record<string, unknown>; options: CallOptions }

async function call({ config, operation, input, options }: Call): Promise<unknown> {
  const { url, body } = encode(config.url, operation, input)
  const headers: Record<string, string> = { accept: 'application/json' }
  if (config.token !== undefined) headers['authorization'] = `Bearer ${config.token}`
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (options.idempotencyKey !== undefined) headers['idempotency-key'] = options.idempotencyKey
  const response = await send(config, url, {
    method: operation.method,
    headers,
    redirect: 'error',
    ...(body !== undefined && { body }),
    ...(options.signal && { signal: options.signal }),
  })
  const pieces = piecesOf(response, options.signal)
  if (response.ok && options.onAnswer !== undefined) return readAnswers(pieces, options.onAnswer)
  const text = await joined(pieces)
  if (response.ok) return JSON.parse(text)
  throw fromProblem(response.status, text)
}

/** One JSON text on each line; the last needs no end of line, so that a single answer is read by the same rule. */
async function readAnswers(texts: Pieces, onAnswer: (answer: unknown) => void): Promise<unknown> {
  let last: unknown
  /** Of a line that is not whole: joined once it is, because a line can be of many pieces. */
  const pieces: string[] = []
  const endLine = (): void => {
    const line = pieces.splice(0).join('')
    if (line.trim() !== '') onAnswer((last = JSON.parse(line)))
  }
  for await (const text of texts) {
    const [first = '', ...others] = text.split('\n')
    pieces.push(first)
    for (const other of others) {
      endLine()
      pieces.push(other)
    }
  }
  endLine()
  return last
}

async function joined(pieces: Pieces): Promise<string> {
  let text = ''
  for await (const piece of pieces) text += piece
  return text
}

type Pieces = AsyncIterable<string> | Iterable<string>

/**
 * The body, as it comes. The stream has the signal as well: on Node.js 20 a `fetch` that takes no redirect no longer hears
 * it once what it made for it is collected as garbage, which happens while a body is still coming.
 */
const piecesOf = ({ body }: Response, signal: AbortSignal | undefined): Pieces =>
  body?.pipeThrough(new TextDecoderStream(), { ...(signal && { signal }) }) ?? []

/** Splits the flat input over path, query and body, as the table says. */
export function encode(
  base: string,
  operation: Operation,
  input: Record<string, unknown>,
): { url: URL; body: string | undefined } {
  const rest = { ...input }
  let path: string = operation.path
  for (const name of pathParameters(operation.path)) {
    path = path.replace(`{${name}}`, encodeURIComponent(String(rest[name])))
    delete rest[name]
  }
  const url = new URL(base.replace(/\/+$/, '') + path)
  if (operation.method !== 'GET') return { url, body: JSON.stringify(rest) }
  for (const [name, value] of Object.entries(rest)) {
    if (value !== undefined) url.searchParams.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  }
  return { url, body: undefined }
}

async function send(config: ClientConfig, url: URL, init: RequestInit): Promise<Response> {
  try {
    return await (config.fetch ?? fetch)(url, init)
  } catch (cause) {
    // A `fetch` that knows who calls may know that nobody does.
    if (init.signal?.aborted || cause instanceof ApiError) throw cause
    throw new ApiError('unavailable', { detail: `No Tidegate server answers at ${url.origin}.`, cause })
  }
}

function fromProblem(status: number, text: string): ApiError {
  const problem = parseProblem(text)
  if (!problem)
    return new ApiError('internal', { detail: `The server answered ${status} with something that is not ours.` })
  const { code, detail, problems, decision } = problem
  return new ApiError(code, {
    ...(detail !== undefined && { detail }),
    ...(problems !== undefined && { problems }),
    ...(decision !== undefined && { decision }),
  })
}

function parseProblem(text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && 'code' in value && isErrorCode(value.code))
      return value as Problem
  } catch {
    // Not JSON: not ours.
  }
  return undefined
}
