/** What is left of what was deleted: who deleted it, when, why, and where the recording stood. */

import { createHash } from 'node:crypto'
import { constants, open } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalBytes } from '@tidegate/audit'
import { isCount, isObject, parseObject } from '../format/json.ts'
import type { Head } from '../format/head.ts'
import { tombstoneName } from '../format/place.ts'
import type { Forgotten } from '../format/place.ts'
import { readerLimits } from '../limits.ts'
import { isMissing } from './segment.ts'

export type Tombstone = {
  readonly format: 'tidegate recording deletion'
  readonly version: 1
  /** `salts`: nobody can try values on the commitments any more. `all`: the recording is gone. */
  readonly what: Forgotten
  /** RFC 3339. */
  readonly at: string
  readonly by: string
  readonly reason: string
  /** Where the recording stood, as its files had it. */
  readonly head: Head
  /** Where the recording stood when it was last anchored, if that was known. */
  readonly anchored: Head | null
  /** What verification said of it before it was deleted. */
  readonly verdict: string
  readonly files: number
  readonly bytes: number
}

/** What is put into the audit log about a deletion: SHA-256 over the tombstone's canonical JSON, in base64url. */
export const tombstoneDigest = (tombstone: Tombstone): string =>
  createHash('sha256').update(canonicalBytes(tombstone)).digest('base64url')

/** `undefined`: nothing was deleted. Rejects for what is there and is not a tombstone. */
export async function readTombstone(folder: string, what: Forgotten): Promise<Tombstone | undefined> {
  const bytes = await readWhole(join(folder, tombstoneName[what]))
  if (bytes === undefined) return undefined
  const tombstone = parseTombstone(bytes, what)
  if (tombstone === undefined) throw new Error(`${tombstoneName[what]} is malformed`)
  return tombstone
}

/** As it stands there. `undefined`: nothing was deleted. */
export const readTombstoneText = async (folder: string, what: Forgotten): Promise<string | undefined> =>
  (await readWhole(join(folder, tombstoneName[what])))?.toString('utf8')

/** `undefined`: it is not one of that. */
export function parseTombstone(text: Buffer | string, what: Forgotten): Tombstone | undefined {
  const value = parseObject(Buffer.from(text))
  return value?.['what'] === what && isTombstone(value) ? value : undefined
}

async function readWhole(path: string): Promise<Buffer | undefined> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const buffer = Buffer.alloc(readerLimits.tombstoneBytes)
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0)
      return buffer.subarray(0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

const isText = (value: unknown): value is string => typeof value === 'string'

function isTombstone(value: Readonly<Record<string, unknown>>): value is Tombstone & Record<string, unknown> {
  return (
    value['format'] === 'tidegate recording deletion' &&
    value['version'] === 1 &&
    ['at', 'by', 'reason', 'verdict'].every((name) => isText(value[name])) &&
    ['files', 'bytes'].every((name) => isCount(value[name])) &&
    isHead(value['head']) &&
    (value['anchored'] === null || isHead(value['anchored']))
  )
}

const isHead = (value: unknown): value is Head =>
  isObject(value) &&
  isText(value['session']) &&
  isText(value['chain']) &&
  ['segment', 'blocks', 'bytes', 'events'].every((name) => isCount(value[name]))
