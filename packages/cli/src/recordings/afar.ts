/** A recording that is on its gateway's machine, read from here: asked for, checked as it comes, and let go of. */

import type { Client, Output } from '@tidegate/api'
import { gatewayLimits } from '@tidegate/api'
import type { ArrivingItem, ArrivingPiece, Head } from '@tidegate/gateway'
import type { Invocation } from '../context.ts'
import { Failure } from '../failure.ts'
import { retrying } from '../server.ts'
import { text } from '../values.ts'

export const reasonOption = {
  about: 'Why you look at it; it goes on record before anything is shown.',
  value: text('TEXT'),
} as const

export type Wish = { readonly session: string; readonly reason: string; readonly follow: boolean }

type Afar = { readonly client: Client; readonly wish: Wish; readonly signal?: AbortSignal }

/** Its header, its events, and at last the verdict on all of them. Ends early, without one, when the signal aborts. */
export async function* readFromAfar(
  invocation: Pick<Invocation, 'sleep'>,
  { client, wish, signal }: Afar,
): AsyncGenerator<ArrivingItem> {
  const { session: id, reason, follow } = wish
  const { readArriving } = await import('@tidegate/gateway')
  const { view, session, head } = await client.viewRecording({ id, reason, follow })
  const headOf = (told: typeof head): Head | undefined => told && { session: id, ...told }
  const next = piecesOf(invocation, { client, view, signal })
  const options = {
    head: headOf(head),
    deletion: session.deletion?.digest,
    latest: async () => headOf((await client.getSession({ id })).head),
  }
  try {
    for await (const item of readArriving(next, options)) {
      if (signal?.aborted === true) return
      yield item
    }
  } finally {
    // Whoever does not say so is gone after a minute.
    await client.closeView({ id: view }).catch(() => undefined)
  }
}

type Looking = { readonly client: Client; readonly view: string; readonly signal: AbortSignal | undefined }
type Pieces = Output<'readRecording'>['pieces']

function piecesOf(
  invocation: Pick<Invocation, 'sleep'>,
  { client, view: id, signal }: Looking,
): () => Promise<ArrivingPiece | undefined> {
  let waiting: Pieces = []
  let after = 0
  let isOver = false
  const more = (): Promise<Pieces> =>
    retrying(
      invocation,
      async () =>
        (await client.readRecording({ id, after, waitMs: gatewayLimits.viewWaitMs }, signal && { signal })).pieces,
      signal && { signal },
    )
  return async () => {
    while (!isOver && signal?.aborted !== true) {
      const [first, ...rest] = waiting.length > 0 ? waiting : await unlessAborted(more(), signal)
      if (first === undefined) continue
      waiting = rest
      after = first.number
      const { piece } = first
      if (piece.what === 'bytes') return { ...piece, bytes: Buffer.from(piece.bytes, 'base64') }
      if (piece.what === 'tombstone') return piece
      isOver = true
      checkOver(piece.why)
    }
    return undefined
  }
}

/** Whoever leaves is not to read of a call that was given up. */
async function unlessAborted(asked: Promise<Pieces>, signal: AbortSignal | undefined): Promise<Pieces> {
  try {
    return await asked
  } catch (error) {
    if (signal?.aborted === true) return []
    throw error
  }
}

function checkOver(why: string): void {
  if (why === 'cut-off') {
    throw new Failure('unavailable', 'The gateway began anew in the middle.', { remedy: 'Ask for it again.' })
  }
  if (why === 'unreadable') {
    throw new Failure('failure', 'The gateway has the recording and cannot read it.', {
      remedy: 'The log of the gateway says why.',
    })
  }
}
