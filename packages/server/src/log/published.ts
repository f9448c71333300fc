/** The log as it is published: a `LogSource` over the store, in the layout of C2SP tlog-tiles. Reads only. */

import type { LogSource } from '@tidegate/audit'
import { checkpointPath, encodeBundle, formatHandovers, handoversPath, parseResourcePath } from '@tidegate/audit'
import type { Reader } from '../store/database.ts'
import { handoversOf } from './log-keys.ts'
import { tileReader } from './tiles.ts'

const tileWidth = 256

export type LatestCheckpoint = { readonly size: number; readonly note: string }

export async function latestCheckpoint(reader: Reader): Promise<LatestCheckpoint | undefined> {
  return reader
    .selectFrom('auditCheckpoint')
    .select(['size', 'note'])
    .orderBy('size', 'desc')
    .limit(1)
    .executeTakeFirst()
}

export function publishedLog(reader: Reader): LogSource {
  const readTile = tileReader(reader)
  return {
    async read(path) {
      if (path === checkpointPath) {
        const checkpoint = await latestCheckpoint(reader)
        return checkpoint && Buffer.from(checkpoint.note)
      }
      if (path === handoversPath) return readHandovers(reader)
      const resource = parseResourcePath(path)
      if (resource?.kind === 'tile') return readTile(resource)
      return resource?.kind === 'bundle' ? readBundle(reader, resource) : undefined
    },
  }
}

/** None, where the log has the key that it began with. */
async function readHandovers(reader: Reader): Promise<Uint8Array | undefined> {
  const handovers = await handoversOf(reader)
  return handovers.length === 0 ? undefined : Buffer.from(formatHandovers(handovers))
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
