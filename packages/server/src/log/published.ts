/** The log as it is published: a `LogSource` over the store, in the layout of C2SP tlog-tiles. Reads only. */

import type { LogSource, TileReader } from '@tidegate/audit'
import { checkpointPath, encodeBundle, parseResourcePath } from '@tidegate/audit'
import type { Reader } from '../store/database.ts'

const tileWidth = 256
const hashBytes = 32

export type LatestCheckpoint = { readonly size: number; readonly note: string }

export async function latestCheckpoint(reader: Reader): Promise<LatestCheckpoint | undefined> {
  return reader
    .selectFrom('auditCheckpoint')
    .select(['size', 'note'])
    .orderBy('size', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** A narrower tile than the stored one is its prefix; a wider one is not there yet. */
export const tileReader =
  (reader: Reader): TileReader =>
  async ({ level, index, width }) => {
    const row = await reader
      .selectFrom('auditTile')
      .select('hashes')
      .where('level', '=', level)
      .where('number', '=', index)
      .executeTakeFirst()
    const bytes = width * hashBytes
    return row && row.hashes.length >= bytes ? row.hashes.subarray(0, bytes) : undefined
  }

export function publishedLog(reader: Reader): LogSource {
  const readTile = tileReader(reader)
  return {
    async read(path) {
      if (path === checkpointPath) {
        const checkpoint = await latestCheckpoint(reader)
        return checkpoint && Buffer.from(checkpoint.note)
      }
      const resource = parseResourcePath(path)
      if (resource?.kind === 'tile') return readTile(resource)
      return resource?.kind === 'bundle' ? readBundle(reader, resource) : undefined
    },
  }
}

async function readBundle(
  reader: Reader,
  { index, width }: { index: number; width: number },
): Promise<Uint8Array | undefined> {
  const first = index * tileWidth
  const rows = await reader
    .selectFrom('auditEntry')
    .select('body')
    .where('leafIndex', '>=', first)
    .where('leafIndex', '<', first + width)
    .orderBy('leafIndex')
    .execute()
  return rows.length === width ? encodeBundle(rows.map(({ body }) => body)) : undefined
}
