/**
 * Recordings that people look at from afar: for each that the control plane tells of, its bytes are sent piece by piece
 * until there are no more or nobody looks. A reader that is slow keeps its telling waiting, and nothing else.
 */

import { type Input, type Output, gatewayLimits } from '@tidegate/api'
import type { RawPiece } from '../recording/read/raw.ts'
import { readRaw } from '../recording/read/raw.ts'
import { readTombstoneText } from '../recording/read/tombstone.ts'
import type { SyncAnswer } from './contract.ts'
import { findFolder } from './folders.ts'
import { controlLimits as limits } from './limits.ts'
import { backoffMs, pause } from './retry.ts'
import type { Log } from './settings.ts'

export type Told = NonNullable<SyncAnswer['views']>[number]
export type Piece = Input<'sendRecording'>['piece']

export type Views = {
  /** Those that there are now: what is new among them begins, and what is not there any more ends. */
  readonly take: (views: readonly Told[]) => void
  /** Nothing begins from here on, and what is under way ends with its call. */
  readonly stop: () => void
}

export type Sending = Pick<Input<'sendRecording'>, 'id' | 'sender' | 'number' | 'piece'>

export type ViewsDeps = {
  /** Of recordings. */
  readonly dir: string
  readonly send: (sending: Sending) => Promise<Output<'sendRecording'>['outcome']>
  /** The session goes on: there may be more of its recording. */
  readonly isOpen: (session: string) => boolean
  readonly random: (count: number) => Uint8Array
  readonly log: Log
}

export function createViews(deps: ViewsDeps): Views {
  const running = new Map<string, AbortController>()
  let stopped = false

  const begin = (told: Told): void => {
    const stopping = new AbortController()
    running.set(told.view, stopping)
    tell(deps, told, stopping.signal).catch((error: unknown) => {
      if (!stopping.signal.aborted) deps.log('recording-not-sent', { session: told.session, why: String(error) })
    })
  }
  return {
    take(views) {
      const there = new Set(views.map(({ view }) => view))
      for (const [view, stopping] of running) {
        if (there.has(view)) continue
        stopping.abort()
        running.delete(view)
      }
      // One that is over here stays known until it is not told any more, so that it does not begin again.
      for (const told of views) if (!stopped && !running.has(told.view)) begin(told)
    },
    stop() {
      stopped = true
      for (const stopping of running.values()) stopping.abort()
    },
  }
}

async function tell(deps: ViewsDeps, { view, ...told }: Told, signal: AbortSignal): Promise<void> {
  const sender = Buffer.from(deps.random(12)).toString('base64url')
  let number = 0
  for await (const piece of piecesOf(deps, told, signal)) {
    number += 1
    if (!(await sendUntilTaken(deps, { id: view, sender, number, piece }, signal))) return
  }
}

/** Resolves with whether anybody looks. */
async function sendUntilTaken({ send, random }: ViewsDeps, sending: Sending, signal: AbortSignal): Promise<boolean> {
  for (let failures = 0; !signal.aborted;) {
    try {
      const outcome = await send(sending)
      failures = 0
      if (outcome !== 'full') return outcome === 'taken'
    } catch (error) {
      failures += 1
      if (failures > limits.viewRetries) throw error
      await pause(backoffMs(failures, random), signal)
    }
  }
  return false
}

type Wanted = Omit<Told, 'view'>

async function* piecesOf(deps: ViewsDeps, wanted: Wanted, signal: AbortSignal): AsyncGenerator<Piece> {
  let sent = false
  try {
    const tombstone = await tombstoneOf(deps, wanted)
    if (tombstone !== undefined) {
      yield { what: 'tombstone', text: tombstone }
      yield { what: 'over', why: 'deleted' }
      return
    }
    for await (const piece of rawOf(deps, wanted, signal)) {
      sent = true
      yield pieceOf(piece)
    }
  } catch (error) {
    if (signal.aborted) return
    deps.log('recording-unreadable', { session: wanted.session, why: String(error) })
    yield { what: 'over', why: 'unreadable' }
    return
  }
  if (!signal.aborted) yield { what: 'over', why: sent ? 'all' : 'nothing' }
}

const pieceOf = ({ segment, bytes }: RawPiece): Piece => ({ what: 'bytes', segment, bytes: bytes.toString('base64') })

async function tombstoneOf({ dir }: ViewsDeps, { session, startedAt }: Wanted): Promise<string | undefined> {
  const folder = await findFolder(dir, session, startedAt)
  return folder === undefined ? undefined : readTombstoneText(folder, 'all')
}

async function* rawOf(deps: ViewsDeps, wanted: Wanted, signal: AbortSignal): AsyncGenerator<RawPiece> {
  const wait = waitingFor(deps, wanted, signal)
  let folder = await findFolder(deps.dir, wanted.session, wanted.startedAt)
  while (folder === undefined && (await wait())) folder = await findFolder(deps.dir, wanted.session, wanted.startedAt)
  if (folder !== undefined) yield* readRaw(folder, { pieceBytes: gatewayLimits.pieceBytes, wait })
}

/** Where a recording is not to be followed, what there is is all. Where its session is over, one more look is. */
function waitingFor({ isOpen }: ViewsDeps, { session, follow }: Wanted, signal: AbortSignal): () => Promise<boolean> {
  let isLast = !follow
  return async () => {
    if (signal.aborted || isLast) return false
    if (!isOpen(session)) isLast = true
    else await pause(limits.viewLookEveryMs, signal)
    return true
  }
}
