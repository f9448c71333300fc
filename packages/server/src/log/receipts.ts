/** Receipts: an entry, what its commitments stand for, and the proof that it is in the log. */

import type { Disclosure, JsonValue, LogEntry } from '@tidegate/audit'
import { decodeEntry, formatReceipt, inclusionProof } from '@tidegate/audit'
import type { Reader } from '../store/database.ts'
import { handoversOf } from './log-keys.ts'
import { latestCheckpoint } from './published.ts'
import { tileReader } from './tiles.ts'

export type StoredEntry = {
  readonly entry: LogEntry
  /** Absent: not integrated yet. */
  readonly index?: number
  readonly disclosures: readonly Disclosure[]
}

export type Receipt = { readonly entry: string; readonly index: number; readonly proof: string }

/** The proof at the latest checkpoint; `undefined` while the entry is not integrated. */
export async function makeReceipt(
  reader: Reader,
  { entry, index, disclosures }: StoredEntry,
): Promise<Receipt | undefined> {
  const checkpoint = await latestCheckpoint(reader)
  if (index === undefined || !checkpoint || checkpoint.size <= index) return undefined
  const hashes = await inclusionProof({ index, size: checkpoint.size }, tileReader(reader))
  const handovers = await handoversOf(reader)
  const parts = { entry, disclosures, index, hashes, checkpoint: checkpoint.note }
  const proof = formatReceipt({ ...parts, ...(handovers.length > 0 && { handovers }) })
  return { entry: entry.id, index, proof }
}

type Row = { readonly id: string; readonly body: Buffer; readonly leafIndex: number | null }

/** Puts what has not been erased beside each entry. */
export async function withDisclosures(reader: Reader, rows: readonly Row[]): Promise<StoredEntry[]> {
  const ids = rows.map(({ id }) => id)
  const disclosed =
    ids.length === 0
      ? []
      : await reader.selectFrom('auditDisclosure').selectAll().where('entry', 'in', ids).orderBy('path').execute()
  return rows.map(({ id, body, leafIndex }) => {
    const decoded = decodeEntry(body)
    if (!decoded.ok) throw new Error(`Entry ${id} in the store is not one: ${decoded.detail}.`)
    return {
      entry: decoded.entry,
      ...(leafIndex !== null && { index: leafIndex }),
      disclosures: disclosed
        .filter(({ entry }) => entry === id)
        .map(({ path, salt, value }) => ({ path, salt: salt.toString('base64url'), value: value as JsonValue })),
    }
  })
}

/** By the id of an entry, or the latest entry about a grant or a request. */
export async function findEntry(reader: Reader, id: string): Promise<Row | undefined> {
  const query = reader.selectFrom('auditEntry').select(['id', 'body', 'leafIndex']).orderBy('serial', 'desc').limit(1)
  if (id.startsWith('grt_')) return query.where('grantId', '=', id).executeTakeFirst()
  if (id.startsWith('req_')) return query.where('request', '=', id).executeTakeFirst()
  return query.where('id', '=', id).executeTakeFirst()
}
