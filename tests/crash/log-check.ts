/** The log as anyone reads it, held against the store and against every checkpoint that was ever shown. */

import {
  emptyEdge,
  encodeEntry,
  growTree,
  httpSource,
  leafHash,
  openCheckpoint,
  parseVerifierKey,
  readEntries,
  verifyLog,
} from '@tidegate/audit'
import type { LogEntry, VerifierKey } from '@tidegate/audit'
import type { Row } from './cluster.ts'
import type { Fleet } from './fleet.ts'
import type { Ledger } from './ledger.ts'

/** @param stored the entries that the store has, in any order */
export async function logProblems(fleet: Fleet, { checkpoints }: Ledger, stored: readonly Row[]): Promise<string[]> {
  const vkey = parseVerifierKey(fleet.verifierKey)
  const [member] = fleet.members
  if (!vkey || !member) return ['the log has no key']
  const source = httpSource(`${member.url}/log/`, { fetch })
  const verdict = await verifyLog({ source, vkey: fleet.verifierKey })
  if (!verdict.ok) return [`the log does not verify: ${verdict.detail}`]
  const entries: LogEntry[] = []
  for await (const { entry } of readEntries({ source, tree: verdict, from: 0, to: verdict.size })) entries.push(entry)
  return [...missing(entries, stored), ...inconsistent(checkpoints, entries, vkey)]
}

/** Nothing is written while this looks: every entry of the store is in the log, and the log has no other. */
function missing(entries: readonly LogEntry[], stored: readonly Row[]): string[] {
  const published = new Set(entries.map(({ id }) => id))
  const left = stored.filter(({ id }) => !published.has(String(id)))
  const more = entries.length - stored.length + left.length
  return [
    ...left.map(({ id }) => `the entry ${String(id)} is not in the published log`),
    ...(more === 0 ? [] : [`the published log has ${more} entries that the store has not`]),
  ]
}

/** The tree is grown from checkpoint to checkpoint, so that each is compared with the log as it was then. */
function inconsistent(
  checkpoints: Ledger['checkpoints'],
  entries: readonly LogEntry[],
  vkey: VerifierKey,
): readonly string[] {
  let edge = emptyEdge
  return [...checkpoints]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([size, note]) => {
      const opened = openCheckpoint(note, vkey)
      if (!opened.ok || size > entries.length)
        return [`the log has ${entries.length} entries, and was shown with ${size}`]
      const growth = growTree(
        edge,
        entries.slice(edge.size, size).map((entry) => leafHash(encodeEntry(entry))),
      )
      edge = growth.edge
      const same = Buffer.from(growth.root).equals(Buffer.from(opened.checkpoint.root))
      return same ? [] : [`the checkpoint of size ${size} is of another log`]
    })
}
