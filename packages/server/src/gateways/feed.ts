/**
 * Tells gateways what changes, as soon as it does. While a gateway waits, what is known here is compared with the store
 * again and again, so that a hint that was lost costs two seconds and nothing else. A feed that cannot read the store says
 * so: a gateway is never told that nothing has changed by someone who does not know.
 */

import { ApiError } from '@tidegate/api'
import type { Instant } from '@tidegate/core'
import type { Reading } from './feed-reads.ts'
import type { Change, Told } from './feed-memory.ts'
import { concerns, createMemory } from './feed-memory.ts'
import { createKeeper } from './keeper.ts'
import { gatewayServerLimits } from './limits.ts'
import { type Asker, createWaiting } from './waiting.ts'

export type Feed = {
  /** Something about this grant, session or gateway has changed. @param over the grant is over, in these words */
  readonly tell: (about: string, over?: string) => void
  /** Something may have been missed. */
  readonly look: () => void
  readonly sync: (asked: Asked) => Promise<Told>
  /** What is told after that cursor within so long, an answer each time. */
  readonly follow: (asker: Asker, cursor: string, followMs: number) => AsyncIterable<Told>
  /** Nobody waits from here on. */
  readonly stop: () => void
}

type Asked = Asker & {
  readonly cursor: string | undefined
  readonly waitMs: number
  /** Grants that are read before it is answered. */
  readonly about?: readonly string[]
  /** It is followed: what else happens in this turn of the loop has an answer of its own, and does not keep this one. */
  readonly followed?: boolean
}

type Answer = { readonly told: Told; readonly isNews: boolean }

/** To be told of as something that has changed for any grant. */
export const configurationChanged = 'configuration'

type Config = Reading & {
  /** Like that of no other feed: cursors are by it. */
  readonly name: string
  readonly now: () => Instant
  readonly lookEveryMs?: number
  readonly believedForMs?: number
}

export function createFeed({
  name,
  now,
  lookEveryMs = gatewayServerLimits.lookEveryMs,
  believedForMs = gatewayServerLimits.believedForMs,
  ...reading
}: Config): Feed {
  const memory = createMemory(name)
  /** Before anyone has asked there is nothing to keep up to date. */
  let begun = false

  const waiting = createWaiting({ everyMs: lookEveryMs, meanwhile: () => keeper.refresh() })
  const changed = (changes: readonly Change[]): void =>
    waiting.release((gateway) => changes.some((change) => concerns(gateway, change)))
  const keeper = createKeeper({
    ...reading,
    memory,
    now,
    changed,
    enrolled: (enrolments) => waiting.keepOnly(enrolments),
    // Whoever waits finds out by itself that the store cannot be read.
    failed: () => waiting.releaseAll(),
  })

  const fresh = async (about: readonly string[] = []): Promise<void> => {
    begun = true
    if (!keeper.isFresh(believedForMs)) await keeper.look()
    else if (about.length > 0) await keeper.read(about)
    else if (!keeper.isFresh(lookEveryMs)) keeper.refresh()
    const failure = keeper.failure()
    if (failure) throw new ApiError('unavailable', { cause: failure.cause })
  }

  const answer = async ({ gateway, worker, cursor, waitMs, about, followed = false }: Asked): Promise<Answer> => {
    await fresh(about)
    if (!followed) await endOfTurn()
    const present = memory.since(cursor, gateway)
    if (present.isNews || waitMs === 0) return present
    if ((await waiting.wait({ gateway, worker }, waitMs)) === 'put-out') throw new ApiError('unauthenticated')
    if (!followed) await endOfTurn()
    await fresh()
    return memory.since(cursor, gateway)
  }

  return {
    tell(about, over) {
      if (!begun) return
      if (over !== undefined) changed(memory.putOver(about, over))
      else if (about === configurationChanged) void keeper.look()
      else keeper.tell(about)
    },
    look() {
      if (begun) void keeper.look()
    },
    sync: async (asked) => (await answer(asked)).told,
    follow: (asker, cursor, followMs) => following(answer, { ...asker, cursor, followMs }),
    stop: () => waiting.stop(),
  }
}

type Following = Asker & { readonly cursor: string; readonly followMs: number }

/** Over as soon as waiting brings no news: its time is up, the gateway asks anew, or the server stops. */
async function* following(
  answer: (asked: Asked) => Promise<Answer>,
  { cursor, followMs, ...asker }: Following,
): AsyncGenerator<Told> {
  const until = performance.now() + followMs
  const next = async (from: string): Promise<Answer | undefined> => {
    const waitMs = until - performance.now()
    if (waitMs <= 0) return undefined
    // What is wrong is told to whoever asks anew, in words for which an answer that has begun has no place.
    return answer({ ...asker, cursor: from, waitMs, followed: true }).catch(() => undefined)
  }
  for (let last = await next(cursor); last?.isNews; last = await next(last.told.cursor)) yield last.told
}

/**
 * Where many end at once, what is committed in one turn of the loop is told in one answer: whoever came just too late
 * for it would wait for a round trip.
 */
const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
