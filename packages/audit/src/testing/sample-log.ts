/** A published log in memory, grown as a server would grow it. For tests only. */

import { encodeBundle } from '../bundle.ts'
import { encodeUtf8 } from '../bytes.ts'
import { alsoSigned, signCheckpoint } from '../checkpoint.ts'
import { encodeEntry } from '../entry.ts'
import type { LogEntry } from '../entry.ts'
import { formatHandovers, keyChangeType } from '../handover.ts'
import { leafHash } from '../merkle.ts'
import type { Hash, TreeHead } from '../merkle.ts'
import { generateSignerKey, openSignerKey } from '../note.ts'
import type { SignerKey } from '../note.ts'
import type { LogSource } from '../source.ts'
import { formatReceipt } from '../receipt.ts'
import { bundlePath, changedBundles, checkpointPath, handoversPath, tilePath } from '../tile-path.ts'
import { emptyEdge, growTree, inclusionProof } from '../tiles.ts'
import type { TileReader } from '../tiles.ts'

export type Files = Map<string, Uint8Array>

export function sampleKey(name = 'log.example/tidegate'): SignerKey {
  return openSignerKey({ name, secretPkcs8: generateSignerKey(name).secretPkcs8 })
}

export function sampleEntry(index: number, fields: { readonly [name: string]: string } = {}): LogEntry {
  return { v: 1, id: `ent_${index}`, type: 'grant.activated', at: '2026-03-01T09:30:00.000Z', ...fields }
}

export function sampleEntries(count: number): readonly LogEntry[] {
  return Array.from({ length: count }, (_, i) => sampleEntry(i))
}

export type SampleLog = TreeHead & { readonly files: Files; readonly checkpoint: string; readonly readTile: TileReader }

/** Publishes entries' bytes under a checkpoint by the key. */
export function publish(entries: readonly Uint8Array[], key: SignerKey): SampleLog {
  const { size, root, tiles } = growTree(emptyEdge, entries.map(leafHash))
  const checkpoint = signCheckpoint({ size, root }, key)
  const files: Files = new Map(tiles.map((tile) => [tilePath(tile), tile.hashes]))
  for (const bundle of changedBundles({ from: 0, to: size })) {
    const first = bundle.index * 256
    files.set(bundlePath(bundle), encodeBundle(entries.slice(first, first + bundle.width)))
  }
  files.set(checkpointPath, encodeUtf8(checkpoint))
  return { size, root, files, checkpoint, readTile: async (tile) => files.get(tilePath(tile)) }
}

export function publishEntries(entries: readonly LogEntry[], key: SignerKey): SampleLog {
  return publish(entries.map(encodeEntry), key)
}

export function memorySource(files: ReadonlyMap<string, Uint8Array>): LogSource {
  return { read: async (path) => files.get(path) }
}

/** A copy with one file replaced, or removed. */
export function withFile(files: Files, path: string, bytes: Uint8Array | undefined): Files {
  const copy = new Map(files)
  if (bytes === undefined) copy.delete(path)
  else copy.set(path, bytes)
  return copy
}

/** A copy with one bit turned. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const at = Math.floor(bit / 8) % copy.length
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit % 8))
  return copy
}

export const hex = (hash: Hash): string => Buffer.from(hash).toString('hex')
export const unhex = (text: string): Uint8Array => Buffer.from(text, 'hex')

export function keyChange(from: string, to: string): LogEntry {
  return { v: 1, id: 'ent_key', type: keyChangeType, at: '2026-03-01T09:30:00.000Z', from, to }
}

/** The tree of the first `size` entries, as one of these keys and perhaps another signed it. */
export function signedBy(
  entries: readonly LogEntry[],
  size: number,
  ...keys: readonly [SignerKey, ...SignerKey[]]
): string {
  const [first, ...others] = keys
  return others.reduce(alsoSigned, publishEntries(entries.slice(0, size), first).checkpoint)
}

type Handing = { readonly entries: readonly LogEntry[]; readonly index: number; readonly checkpoint: string }

/** The receipt of the entry that changes the key, under that checkpoint. */
export async function handover({ entries, index, checkpoint }: Handing): Promise<string> {
  const size = Number(checkpoint.split('\n')[1])
  const { readTile } = publishEntries(entries.slice(0, size), sampleKey())
  const hashes = await inclusionProof({ index, size }, readTile)
  return formatReceipt({ entry: entries[index] as LogEntry, disclosures: [], index, hashes, checkpoint })
}

export const withHandovers = (files: Files, receipts: readonly string[]): Files =>
  withFile(files, handoversPath, encodeUtf8(formatHandovers(receipts)))
