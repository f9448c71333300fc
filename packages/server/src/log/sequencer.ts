/**
 * Gives committed entries their place in the tree. Reads the edge, grows it, writes tiles, places and checkpoint, all
 * in one transaction under one lock: after a crash the same few lines go on from what was committed.
 */

import type { SignerKey, Tile, TreeEdge } from '@tidegate/audit'
import { emptyEdge, growTree, partialTiles, signCheckpoint } from '@tidegate/audit'
import { sql } from 'kysely'
import type { Runtime } from '../runtime.ts'
import type { Database, Tx } from '../store/database.ts'
import { instantParam } from '../store/database.ts'
import type { Work } from '../store/transaction.ts'
import { transaction } from '../store/transaction.ts'

const sequencerLock = 7_243_003

/** Entries at once: bounds the transaction, not the log. */
export const sequencerBatch = 4_096

export type Sequencer = {
  /** Integrates what is waiting. Returns how many; 0 also when another process is at it. */
  readonly integrate: () => Promise<number>
}

export function createSequencer(deps: {
  readonly db: Database
  readonly runtime: Runtime
  readonly signer: SignerKey
}): Sequencer {
  return {
    integrate: () => transaction(deps.db, (tx) => integrateBatch(tx, deps)),
  }
}

type Waiting = { serial: number; leaf: Buffer }

const nothing: Work<number> = { result: 0, sent: Promise.resolve() }

async function integrateBatch(
  tx: Tx,
  { runtime, signer }: { runtime: Runtime; signer: SignerKey },
): Promise<Work<number>> {
  // Carried out in this order: what is read is as it is once the lock is had.
  const [locked, waiting, size] = await Promise.all([tryLock(tx), readWaiting(tx), readSize(tx)])
  if (!locked || waiting.length === 0) return nothing
  const growth = growTree(
    await readEdge(tx, size),
    waiting.map(({ leaf }) => leaf),
  )
  const checkpoint = { size: growth.size, note: signCheckpoint(growth, signer), at: instantParam(runtime.now()) }
  const sent = Promise.all([
    placeEntries(tx, { first: size, waiting }),
    writeTiles(tx, growth.tiles),
    tx.insertInto('auditCheckpoint').values(checkpoint).execute(),
  ])
  return { result: waiting.length, sent }
}

async function tryLock(tx: Tx): Promise<boolean> {
  const { rows } = await sql<{ locked: boolean }>`select pg_try_advisory_xact_lock(${sequencerLock}) as locked`.execute(
    tx,
  )
  return rows[0]?.locked === true
}

/** RFC 6962, section 2.1: the hash of a leaf, made where the entry lies, so that it need not be sent. */
const leafHash = sql<Buffer>`sha256('\\x00'::bytea || body)`

const readWaiting = (tx: Tx): Promise<Waiting[]> =>
  tx
    .selectFrom('auditEntry')
    .select(['serial', leafHash.as('leaf')])
    .where('leafIndex', 'is', null)
    .orderBy('serial')
    .limit(sequencerBatch)
    .execute()

async function readSize(tx: Tx): Promise<number> {
  const latest = await tx
    .selectFrom('auditCheckpoint')
    .select('size')
    .orderBy('size', 'desc')
    .limit(1)
    .executeTakeFirst()
  return latest?.size ?? 0
}

async function readEdge(tx: Tx, size: number): Promise<TreeEdge> {
  if (size === 0) return emptyEdge
  const tiles = await Promise.all(
    partialTiles(size).map(async (ref): Promise<Tile> => {
      const row = await tx
        .selectFrom('auditTile')
        .select('hashes')
        .where('level', '=', ref.level)
        .where('number', '=', ref.index)
        .executeTakeFirstOrThrow()
      return { ...ref, hashes: row.hashes }
    }),
  )
  return { size, tiles }
}

async function placeEntries(tx: Tx, { first, waiting }: { first: number; waiting: readonly Waiting[] }): Promise<void> {
  const serials = waiting.map(({ serial }) => serial)
  await sql`
    update audit_entry set leaf_index = ${first} + placed.position - 1
    from unnest(${serials}::bigint[]) with ordinality as placed (serial, position)
    where audit_entry.serial = placed.serial`.execute(tx)
}

async function writeTiles(tx: Tx, tiles: readonly Tile[]): Promise<void> {
  if (tiles.length === 0) return
  await tx
    .insertInto('auditTile')
    .values(tiles.map(({ level, index, hashes }) => ({ level, number: index, hashes: Buffer.from(hashes) })))
    .onConflict((conflict) =>
      conflict.columns(['level', 'number']).doUpdateSet((eb) => ({ hashes: eb.ref('excluded.hashes') })),
    )
    .execute()
}
