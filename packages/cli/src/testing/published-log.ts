/** A log as a server publishes it, in memory, signed by a key of its own. */

import type { LogEntry, SignerKey } from '@tidegate/audit'
import {
  bundlePath,
  changedBundles,
  changedTiles,
  checkpointPath,
  encodeBundle,
  encodeEntry,
  formatHandovers,
  emptyEdge,
  formatReceipt,
  generateSignerKey,
  growTree,
  handoversPath,
  inclusionProof,
  keyChangeType,
  leafHash,
  openSignerKey,
  signCheckpoint,
  tilePath,
} from '@tidegate/audit'

export type PublishedLog = {
  readonly vkey: string
  /** By path under `/log/`. To be changed by tests that attack it. */
  readonly files: Map<string, Uint8Array>
  readonly receipt: (index: number) => Promise<string>
}

export const newSigner = (name = 'log.example'): SignerKey => openSignerKey({ name, ...generateSignerKey(name) })

export const entriesOf = (count: number, about = 'entry'): readonly LogEntry[] =>
  Array.from({ length: count }, (_, i) => ({
    v: 1,
    id: `ent_${i}`,
    type: 'grant.ended',
    at: '2026-11-21T12:00:00Z',
    about: `${about} ${i}`,
  }))

export function publishLog(signer: SignerKey, entries: readonly LogEntry[]): PublishedLog {
  const leaves = entries.map(encodeEntry)
  const tree = growTree(emptyEdge, leaves.map(leafHash))
  const files = new Map<string, Uint8Array>([['key', Buffer.from(`${signer.vkey}\n`)]])
  const tiles = new Map(tree.tiles.map((tile) => [tilePath(tile), tile.hashes]))
  for (const tile of changedTiles({ from: 0, to: tree.size })) {
    const bytes = tiles.get(tilePath(tile))
    if (bytes) files.set(tilePath(tile), bytes)
  }
  for (const bundle of changedBundles({ from: 0, to: tree.size })) {
    const first = bundle.index * 256
    files.set(bundlePath(bundle), encodeBundle(leaves.slice(first, first + bundle.width)))
  }
  const checkpoint = signCheckpoint(tree, signer)
  files.set(checkpointPath, Buffer.from(checkpoint))
  return {
    vkey: signer.vkey,
    files,
    receipt: async (index) => {
      const hashes = await inclusionProof({ index, size: tree.size }, async (tile) => tiles.get(tilePath(tile)))
      const entry = entries[index]
      if (!entry) throw new RangeError('no such entry')
      return formatReceipt({ entry, disclosures: [], index, hashes, checkpoint })
    },
  }
}

/** One that begins as another by the first key, and goes on with the second, which the first has let. */
export async function rotatedLog(first: SignerKey, second: SignerKey): Promise<PublishedLog> {
  const change = { v: 1, id: 'ent_key', type: keyChangeType, at: '2026-11-21T12:00:00Z', from: first.vkey } as const
  const entries = entriesOf(20).with(12, { ...change, to: second.vkey })
  const handover = await publishLog(first, entries.slice(0, 15)).receipt(12)
  const log = publishLog(second, entries)
  log.files.set(handoversPath, Buffer.from(formatHandovers([handover])))
  return log
}
