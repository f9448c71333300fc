/** The keys of the log, as the store has them, and how each handed over to the next. */

import { decodeEntry, formatReceipt, inclusionProof } from '@tidegate/audit'
import type { Selectable } from 'kysely'
import type { Reader, Tables } from '../store/database.ts'
import { tileReader } from './tiles.ts'

export type LogKeyRow = Selectable<Tables['logKey']>

export const logKeys = (reader: Reader): Promise<LogKeyRow[]> =>
  reader.selectFrom('logKey').selectAll().orderBy('number').execute()

/** The one that signs, and one that is named as the next. */
export async function keysThatSign(reader: Reader): Promise<{ verifierKey: string; signingKey: Buffer }[]> {
  const rows = await reader
    .selectFrom('logKey')
    .select(['verifierKey', 'signingKey'])
    .where('lastSize', 'is', null)
    .orderBy('number')
    .execute()
  return rows.map(({ verifierKey, signingKey }) => ({ verifierKey, signingKey: signingKey as Buffer }))
}

/** What verifiers need of the log as it is now. */
export async function verifierKeyOf(reader: Reader): Promise<string> {
  const row = await reader
    .selectFrom('logKey')
    .select('verifierKey')
    .where('lastSize', 'is', null)
    .orderBy('number')
    .limit(1)
    .executeTakeFirstOrThrow()
  return row.verifierKey
}

/** For whoever knows an earlier key: the receipt of each entry that named the next one, by the key before. */
export async function handoversOf(reader: Reader): Promise<readonly string[]> {
  const keys = await logKeys(reader)
  const handed = keys.flatMap(({ lastSize }, place) => {
    const index = keys[place + 1]?.namedAt
    return lastSize === null || index === undefined || index === null ? [] : [{ index, size: lastSize }]
  })
  return Promise.all(handed.map((one) => handoverReceipt(reader, one)))
}

async function handoverReceipt(reader: Reader, { index, size }: { index: number; size: number }): Promise<string> {
  const [{ body }, { note }, hashes] = await Promise.all([
    reader.selectFrom('auditEntry').select('body').where('leafIndex', '=', index).executeTakeFirstOrThrow(),
    reader.selectFrom('auditCheckpoint').select('note').where('size', '=', size).executeTakeFirstOrThrow(),
    inclusionProof({ index, size }, tileReader(reader)),
  ])
  const decoded = decodeEntry(body)
  if (!decoded.ok) throw new Error(`Entry ${index} in the store is not one: ${decoded.detail}.`)
  return formatReceipt({ entry: decoded.entry, disclosures: [], index, hashes, checkpoint: note })
}
