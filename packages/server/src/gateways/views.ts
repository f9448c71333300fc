/**
 * Recordings that are read from afar. A gateway sends the pieces, in order; they wait in the store, sealed, a few at a
 * time, until whoever reads has them or has gone. So a slow reader slows the gateway's telling, and nothing else.
 */

import { ApiError, gatewayLimits } from '@tidegate/api'
import type { Output, ParsedInput } from '@tidegate/api'
import type { Instant } from '@tidegate/core'
import { instant, seconds } from '@tidegate/core'
import type { Selectable } from 'kysely'
import type { Runtime } from '../runtime.ts'
import { newId } from '../runtime.ts'
import { open, seal } from '../secrets/envelope.ts'
import type { MasterKey } from '../secrets/envelope.ts'
import type { Unit } from '../store/change.ts'
import type { Database, Reader, Tables, Tx } from '../store/database.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import { pieceHint } from './view-waiting.ts'

export type ViewRow = Selectable<Tables['recordingView']>
export type Piece = ParsedInput<'sendRecording'>['piece']
type Pieces = Output<'readRecording'>['pieces']

/** Whoever has asked after this instant still looks. */
export const viewsSince = (now: Instant): Instant => instant(now - seconds(gatewayLimits.viewGoneAfterSeconds))

type Wish = {
  readonly session: string
  readonly gateway: string
  readonly viewer: string
  readonly follow: boolean
}

/** @throws {ApiError} `too-many-views` */
export async function openView({ tx, now, runtime, hint }: Unit, wish: Wish): Promise<string> {
  const mine = await tx
    .selectFrom('recordingView')
    .select(({ fn }) => [
      fn.count('id').filterWhere('viewer', '=', wish.viewer).as('viewer'),
      fn.count('id').filterWhere('gateway', '=', wish.gateway).as('gateway'),
    ])
    .where('askedAt', '>', boundInstant(viewsSince(now)))
    .executeTakeFirstOrThrow()
  if (Number(mine.viewer) >= gatewayLimits.viewsPerPerson || Number(mine.gateway) >= gatewayLimits.viewsPerGateway)
    throw new ApiError('too-many-views')
  const id = newId(runtime, 'view')
  await tx
    .insertInto('recordingView')
    .values({ id, ...wish, askedAt: instantParam(now), sender: null })
    .execute()
  hint({ to: 'gateways', about: id })
  return id
}

/** Of those who have gone, with all that waits for them. */
export const closeViewsLeft = async (db: Database | Tx, now: Instant): Promise<void> =>
  void (await db
    .deleteFrom('recordingView')
    .where('askedAt', '<=', boundInstant(viewsSince(now)))
    .execute())

export async function closeView({ tx, hint }: Unit, { id, viewer }: { id: string; viewer: string }): Promise<void> {
  const gone = await tx
    .deleteFrom('recordingView')
    .where('id', '=', id)
    .where('viewer', '=', viewer)
    .returning('id')
    .executeTakeFirst()
  if (gone) hint({ to: 'gateways', about: id })
}

type Sealing = { readonly key: MasterKey; readonly random: Runtime['random'] }
type Sent = Pick<ParsedInput<'sendRecording'>, 'id' | 'sender' | 'number' | 'piece'> & { readonly gateway: string }

/** `told`: there is something new for whoever reads. */
type Taken = { readonly outcome: Output<'sendRecording'>['outcome']; readonly told: boolean }

/** What another gateway has to do with is closed to this one, like what is not there. */
export async function takePiece({ tx, now }: Unit, sealing: Sealing, sent: Sent): Promise<Taken> {
  const { id, sender, number, piece } = sent
  const row = await tx.selectFrom('recordingView').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  const isLookedAt = row && row.gateway === sent.gateway && row.askedAt > viewsSince(now)
  if (!isLookedAt || row.isOver) return { outcome: 'closed', told: false }
  if (row.sender !== null && row.sender !== sender) {
    await keep(tx, sealing, { row, sender: row.sender, piece: { what: 'over', why: 'cut-off' } })
    return { outcome: 'closed', told: true }
  }
  if (number <= row.sent) return { outcome: 'taken', told: false }
  if (number > row.sent + 1) {
    throw new ApiError('invalid-input', {
      problems: [{ field: 'number', message: `The piece after ${row.sent} is next.`, remedy: 'Send them in order.' }],
    })
  }
  if (piece.what === 'bytes' && (await isFull(tx, id))) return { outcome: 'full', told: false }
  await keep(tx, sealing, { row, sender, piece })
  return { outcome: 'taken', told: true }
}

async function isFull(tx: Tx, view: string): Promise<boolean> {
  const waiting = await tx
    .selectFrom('recordingPiece')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('view', '=', view)
    .executeTakeFirstOrThrow()
  return Number(waiting.count) >= gatewayLimits.piecesWaiting
}

type Keeping = { readonly row: ViewRow; readonly sender: string; readonly piece: Piece }

async function keep(tx: Tx, sealing: Sealing, { row, sender, piece }: Keeping): Promise<void> {
  const number = row.sent + 1
  const sealed = seal(Buffer.from(JSON.stringify(piece)), { ...sealing, purpose: piecePurpose(row.id, number) })
  await tx.insertInto('recordingPiece').values({ view: row.id, number, sealed }).execute()
  await tx
    .updateTable('recordingView')
    .set({ sender, sent: number, isOver: piece.what === 'over' })
    .where('id', '=', row.id)
    .execute()
}

type Reading = { readonly id: string; readonly after: number }

/** Those after the last that whoever reads has. With that those before are gone, and there is room for others. */
export async function readPieces({ tx, now, hint }: Unit, key: MasterKey, { id, after }: Reading): Promise<Pieces> {
  await tx
    .updateTable('recordingView')
    .set({ askedAt: instantParam(now) })
    .where('id', '=', id)
    .execute()
  const had = await tx
    .deleteFrom('recordingPiece')
    .where('view', '=', id)
    .where('number', '<=', after)
    .executeTakeFirst()
  if (had.numDeletedRows > 0) hint({ to: 'gateways', about: pieceHint(id) })
  return piecesAfter(tx, key, { id, after })
}

export async function piecesAfter(reader: Reader, key: MasterKey, { id, after }: Reading): Promise<Pieces> {
  const rows = await reader
    .selectFrom('recordingPiece')
    .select(['number', 'sealed'])
    .where('view', '=', id)
    .where('number', '>', after)
    .orderBy('number')
    .execute()
  return rows.map(({ number, sealed }) => ({
    number,
    piece: JSON.parse(open(sealed, { key, purpose: piecePurpose(id, number) }).toString('utf8')) as Piece,
  }))
}

/** One piece put in another's place does not open. */
export const piecePurpose = (view: string, number: number): string => `recording-piece:${view}:${number}`
