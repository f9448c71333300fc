/**
 * Where a published log is read from, and where a copy of it is written: files or a URL, under the paths of C2SP
 * tlog-tiles. None of them is trusted: what a source can do is to fail.
 */

import { constants, mkdir, open, rename, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { limits } from './limits.ts'
import { parseResourcePath } from './tile-path.ts'
import type { ResourceRef } from './tile-path.ts'

/** Reads a resource by its path under the log's prefix. `undefined` says that there is none; throw for a fault. */
export type LogSource = { readonly read: (path: string) => Promise<Uint8Array | undefined> }

/** Writes a resource by its path. What was written before under that path is replaced whole. */
export type LogWriter = { readonly write: (path: string, bytes: Uint8Array) => Promise<void> }

/** The most bytes that each kind of resource can have. */
const sizeLimits: Readonly<Record<ResourceRef['kind'], number>> = {
  checkpoint: limits.noteBytes,
  handovers: limits.handoversBytes,
  tile: limits.tileBytes,
  bundle: limits.bundleBytes,
}

/** Reads a log from a directory. Only paths of tlog-tiles are looked up: nothing but a symbolic link leads out. */
export function directorySource(directory: string): LogSource {
  return { read: async (path) => readFileWithin(join(directory, path), byteLimit(path)) }
}

/** Writes a log to a directory, which is made where it is missing. Each file appears whole or not at all. */
export function directoryWriter(directory: string): LogWriter {
  return {
    write: async (path, bytes) => {
      byteLimit(path)
      const file = join(directory, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(`${file}.partial`, bytes)
      await rename(`${file}.partial`, file)
    },
  }
}

export type HttpSourceOptions = {
  readonly fetch: typeof globalThis.fetch
  /** Ends all reads, the one under way too. */
  readonly signal?: AbortSignal
  /** For one resource, body included. */
  readonly timeoutMs?: number
}

/**
 * Reads a log from a URL prefix. 404 and 410 mean that there is no such resource, any other status than 200 is a
 * fault. Redirects are refused, and a body is given up as soon as it exceeds what its kind of resource can have,
 * counted after decompression.
 */
export function httpSource(prefix: string, { fetch, signal, timeoutMs }: HttpSourceOptions): LogSource {
  const base = prefix.endsWith('/') ? prefix : `${prefix}/`
  return {
    read: async (path) => {
      const maxBytes = byteLimit(path)
      const timeout = AbortSignal.timeout(timeoutMs ?? limits.requestTimeoutMs)
      const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
      const response = await fetch(new URL(path, base), { redirect: 'error', signal: either })
      if (response.status === 200) return readBody(response, { maxBytes, signal: either })
      await response.body?.cancel()
      if (response.status === 404 || response.status === 410) return undefined
      throw new Error(`the log answered ${path} with status ${response.status}`)
    },
  }
}

function byteLimit(path: string): number {
  const resource = parseResourcePath(path)
  if (resource === undefined) throw new RangeError('the path is not one of C2SP tlog-tiles')
  return sizeLimits[resource.kind]
}

async function readFileWithin(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
  const handle = await openExisting(file)
  if (handle === undefined) return undefined
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) return undefined
    if (stat.size > maxBytes) throw new RangeError(`${file} exceeds ${maxBytes} bytes`)
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}

/** Without blocking, as the opening of a named pipe would otherwise wait for a writer. */
async function openExisting(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}

type Bounds = { readonly maxBytes: number; readonly signal: AbortSignal }

/** On Node.js 20 a `fetch` that takes no redirect is deaf to its signal once garbage is collected: the stream is not. */
async function readBody({ url, body }: Response, { maxBytes, signal }: Bounds): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let total = 0
  // Leaving the loop by the throw cancels the body.
  for await (const chunk of body?.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(), { signal }) ?? []) {
    total += chunk.length
    if (total > maxBytes) throw new RangeError(`${url} exceeds ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
