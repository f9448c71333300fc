/** The tiles of the log in the store. */

import type { TileReader } from '@tidegate/audit'
import type { Reader } from '../store/database.ts'

const hashBytes = 32

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
