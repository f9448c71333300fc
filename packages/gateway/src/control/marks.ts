/**
 * Which sessions are not over, on disk: a small file for each, from its opening until the control plane knows of its
 * end. What is there when a gateway starts is of one that did not stop in good order.
 */

import { mkdir, readdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gatewayShapes } from '@tidegate/api'
import { isNameOf, type Share } from '../share.ts'
import { isSessionId } from '../recording/format/place.ts'
import type { Opened } from './contract.ts'

export type Marks = {
  /** Not synced: a power failure in the next seconds may take it. */
  readonly put: (opened: Opened) => Promise<void>
  readonly remove: (session: string) => void
  /** Resolves when what was to be removed is. */
  readonly settled: () => Promise<void>
  /** Those of our share that were there when it was opened. What is none is passed over. */
  readonly left: readonly Opened[]
}

export async function openMarks(dir: string, share: Share): Promise<Marks> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const left = await leftIn(dir, share)
  const putting = new Map<string, Promise<void>>()
  const removing = new Set<Promise<void>>()
  const pathOf = (session: string): string => join(dir, `${session}.json`)

  return {
    put(opened) {
      const { session } = opened
      const written = writeFile(pathOf(session), JSON.stringify(opened), { mode: 0o600 })
      putting.set(session, written)
      return written.finally(() => putting.delete(session))
    },
    remove(session) {
      const removed = (putting.get(session) ?? Promise.resolve())
        .catch(() => undefined)
        .then(() => quietly(unlink(pathOf(session))))
        .finally(() => removing.delete(removed))
      removing.add(removed)
    },
    async settled() {
      await Promise.all(removing)
    },
    left,
  }
}

async function leftIn(dir: string, share: Share): Promise<readonly Opened[]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5))
  const ours = names.filter((session) => isSessionId(session) && isNameOf(share, session)).toSorted()
  const read = await Promise.all(ours.map((session) => readMark(join(dir, `${session}.json`), session)))
  return read.filter((opened) => opened !== undefined)
}

/** One that was not written whole is of a session that had not opened. */
async function readMark(path: string, session: string): Promise<Opened | undefined> {
  try {
    const report = gatewayShapes.sessionReport.parse(JSON.parse(await readFile(path, 'utf8')))
    return report.what === 'opened' && report.session === session ? report : undefined
  } catch {
    await quietly(unlink(path))
    return undefined
  }
}

/** It may never have been written. */
const quietly = (asked: Promise<void>): Promise<void> => asked.catch(() => undefined)
