/**
 * Gives committed entries their place in the tree. Reads the edge, grows it, writes tiles, places and checkpoint, all
 * in one transaction under one lock: after a crash the same few lines go on from what was committed.
 */

import type { Growth, Tile, TreeEdge } from '@tidegate/audit'
import { alsoSigned, emptyEdge, growTree, keyChangeType, partialTiles, signCheckpoint } from '@tidegate/audit'
import { sql } from 'kysely'
import type { Runtime } from '../runtime.ts'
import type { Database, Tx } from '../store/database.ts'
import { instantParam } from '../store/database.ts'
import type { Work } from '../store/transaction.ts'
import { transaction } from '../store/transaction.ts'
import type { ReadSigning, Signing } from './signing.ts'
import { handOver } from './signing.ts'

const sequencerLock = 7_243_003

/** Entries at once: bounds the transaction, not the log. */
export const sequencerBatch = 4_096

export type Sequencer = {
  /** Integrates what is waiting. Returns how many; 0 also when another process is at it. */
  readonly integrate: () => Promise<number>
}

type Deps = { readonly db: Database; readonly runtime: Runtime; readonly signing: ReadSigning }

export function createSequencer(deps: Deps): Sequencer {
  return {
    integrate: () => transaction(deps.db, (tx) => integrateBatch(tx, deps)),
  }
}

type Waiting = { serial: number; leaf: Buffer; namesKey: boolean }

const nothing: Work<number> = { result: 0, sent: Promise.resolve() }

async function integrateBatch(tx: Tx, { runtime, signing }: Deps): Promise<Work<number>> {
  // Carried out in this order: what is read is as it is once the lock is had, and a key as old as the entry that names it.
  const [locked, waiting, size, keys] = await Promise.all([tryLock(tx), readWaiting(tx), readSize(tx), signing(tx)])
  if (!locked || waiting.length === 0) return nothing
  const growth = growTree(
    await readEdge(tx, size),
    waiting.map(({ leaf }) => leaf),
  )
  const { note, handover } = sign(growth, keys, namedAt(size, waiting))
  const checkpoint = { size: growth.size, note, at: instantParam(runtime.now()) }
  const sent = Promise.all([
    placeEntries(tx, { first: size, waiting }),
    writeTiles(tx, growth.tiles),
    tx.insertInto('auditCheckpoint').values(checkpoint).execute(),
    handover && handOver(tx, handover),
  ])
  return { result: waiting.length, sent }
}

/** Where the entry stands that names the next key, if it is among these. */
function namedAt(first: number, waiting: readonly Waiting[]): number | undefined {
  const position = waiting.findIndex(({ namesKey }) => namesKey)
  return position < 0 ? undefined : first + position
}

type Signed = { readonly note: string; readonly handover?: Parameters<typeof handOver>[1] }

/** By both keys where this tree is the first that names the next one. */
function sign(growth: Growth, { current, next }: Signing, at: number | undefined): Signed {
  const note = signCheckpoint(growth, current)
  if (!next || at === undefined) return { note }
  return { note: alsoSigned(note, next), handover: { from: current, to: next, size: growth.size, namedAt: at } }
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
    .select(['serial', leafHash.as('leaf'), sql<boolean>`type = ${keyChangeType}`.as('namesKey')])
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
