/**
 * Another master key takes the place of the one before while servers run: what that one sealed is sealed anew, a few values
 * at a time. Only the key of each value is wrapped again; what it says is not read.
 */

import type { Instant } from '@tidegate/core'
import { instant } from '@tidegate/core'
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Logger } from 'pino'
import type { Runtime } from '../runtime.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Database, Reader } from '../store/database.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import { rewrap, sealedLayout } from './envelope.ts'
import type { KeyId, MasterKey } from './keys.ts'
import { keyLimits } from './limits.ts'
import type { SealedColumn } from './sealed-values.ts'
import { sealedColumns } from './sealed-values.ts'

type Deps = {
  readonly db: Database
  readonly runtime: Runtime
  readonly key: MasterKey
  readonly log: Logger
}

/**
 * Seals what it can with the store's key, which this server seals with from now on, and writes down what no longer seals
 * anything.
 * @throws where this server was not given the store's key
 */
export async function reseal(deps: Deps): Promise<void> {
  const { db, key } = deps
  const id = await storeKey(db)
  if (id !== undefined && !key.follow(id))
    throw new Error(`The store is sealed with the master key ${id} by now, which this server was not given.`)
  for (const column of sealedColumns) while ((await resealSome(deps, column)) === keyLimits.atOnce);
  await change(deps, noteUnused)
}

/** The one that seals; `undefined`: nothing has ever been sealed. */
export async function storeKey(reader: Reader): Promise<KeyId | undefined> {
  const row = await reader.selectFrom('masterKey').select('id').where('until', 'is', null).executeTakeFirst()
  return row?.id as KeyId | undefined
}

/**
 * Whoever uses a value at this moment keeps it: it is passed over, and found the next time. So nobody waits for this, and
 * nothing that changes meanwhile is overwritten.
 * @returns how many were sealed anew
 */
async function resealSome({ db, runtime: { random }, key, log }: Deps, column: SealedColumn): Promise<number> {
  const others = key.keys.map(({ id }) => id).filter((id) => id !== key.sealing().id)
  if (others.length === 0) return 0
  const table = sql.table(column.table)
  const ids = sql`array[${sql.join(column.ids.map((id) => sql`${sql.ref(id)}::text`))}]::text[]`
  return db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ at: string; ids: readonly string[]; sealed: Buffer }>`
      select ctid::text as at, ${ids} as ids, ${sql.ref(column.column)} as sealed from ${table}
      where ${isThere(column)} and ${keyIdOf(column)} = any(${others})
      limit ${keyLimits.atOnce} for no key update skip locked`.execute(tx)
    const anew = rows.flatMap(({ at, ids: names, sealed }) => {
      try {
        return [{ at, sealed: rewrap(sealed, { key, purpose: column.purpose(...names), random }) }]
      } catch (error) {
        log.error({ err: error, table: column.table, ids: names }, 'a sealed value does not open, and stays as it is')
        return []
      }
    })
    // The rows are locked, so that they stay where they are.
    await sql`
      update ${table} set ${sql.ref(column.column)} = anew.sealed
      from unnest(${anew.map(({ at }) => at)}::text[]::tid[], ${anew.map(({ sealed }) => sealed)}::bytea[]) as anew (at, sealed)
      where ${table}.ctid = anew.at`.execute(tx)
    return anew.length
  })
}

const isThere = ({ where, column }: SealedColumn): RawBuilder<unknown> =>
  where === undefined ? sql`${sql.ref(column)} is not null` : sql.raw(where)

const keyIdOf = ({ column }: SealedColumn): RawBuilder<string> =>
  sql`encode(substring(${sql.ref(column)} from ${sql.lit(sealedLayout.idFrom)} for ${sql.lit(sealedLayout.idBytes)}), 'hex')`

export type Sealed = { readonly key: KeyId; readonly what: SealedColumn; readonly count: number }

/** How much the store holds sealed with which key. */
export async function countSealed(reader: Reader): Promise<readonly Sealed[]> {
  const counts = sealedColumns.map(
    (column, index) => sql`
      select ${sql.lit(index)}::int as "column", ${keyIdOf(column)} as key, count(*) as count
      from ${sql.table(column.table)} where ${isThere(column)} group by 2`,
  )
  const { rows } = await sql<{ column: number; key: KeyId; count: number }>`
    ${sql.join(counts, sql` union all `)}`.execute(reader)
  return rows.map(({ column, key, count }) => ({ key, what: sealedColumns[column] as SealedColumn, count }))
}

/** What still is in pages and cookies is over by then, and every server has followed. */
const longReplaced = (now: Instant): Instant => instant(now - keyLimits.sealedElsewhere)

async function noteUnused({ tx, now, record }: Unit): Promise<void> {
  const replaced = await tx
    .selectFrom('masterKey')
    .select('id')
    .where('unusedAt', 'is', null)
    .where('until', '<=', boundInstant(longReplaced(now)))
    .forUpdate()
    .execute()
  if (replaced.length === 0) return
  const used = new Set<string>((await countSealed(tx)).map(({ key }) => key))
  for (const { id } of replaced.filter((one) => !used.has(one.id))) {
    await tx
      .updateTable('masterKey')
      .set({ unusedAt: instantParam(now) })
      .where('id', '=', id)
      .execute()
    record({ type: 'master-key.unused', at: now, fields: { key: id } })
  }
}
