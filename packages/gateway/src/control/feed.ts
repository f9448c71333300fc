/**
 * What the control plane tells: one question after the other, each answered when there is something to tell. Where many
 * things happen, an answer goes on with the next: asking anew for each would take longer than telling it.
 */

import { gatewayLimits } from '@tidegate/api'
import { parseInstant } from '@tidegate/core'
import type { Share } from '../share.ts'
import { readSync, type SyncAnswer } from './contract.ts'
import { type ControlPlane, PutOut } from './control-plane.ts'
import { controlLimits as limits } from './limits.ts'
import type { Questions } from './questions.ts'
import { backoffMs, pause } from './retry.ts'
import type { Reading, ServerClock } from './server-clock.ts'
import type { Log } from './settings.ts'

export type Feed = {
  /** What was told last is not older than it may be. */
  readonly isFresh: () => boolean
  /** Resolves when it has been stopped, or with why it cannot go on. */
  readonly over: Promise<PutOut | undefined>
  /** Resolves when it was asked once: with why it cannot go on, if that came of it. */
  readonly first: Promise<PutOut | undefined>
  readonly stop: () => void
}

type FeedDeps = {
  readonly plane: Pick<ControlPlane, 'ask'>
  readonly clock: ServerClock
  readonly random: (count: number) => Uint8Array
  readonly share: Share
  /** By the server's clock. */
  readonly freshMs: number
  readonly questions: Pick<Questions, 'take' | 'wait'>
  readonly take: (answer: SyncAnswer) => void
  /** After each question, whatever came of it. */
  readonly turned: () => void
  readonly log: Log
}

type State = {
  cursor: string | undefined
  /** Of the server's clock. */
  toldAt: number
  /** Of the steady clock. */
  timedAtMs: number
  failures: number
}

export function startFeed(deps: FeedDeps): Feed {
  const { clock, freshMs, turned } = deps
  const stopped = new AbortController()
  const state: State = { cursor: undefined, toldAt: -Infinity, timedAtMs: -Infinity, failures: 0 }
  let begun: (out?: PutOut) => void = () => undefined
  const first = new Promise<PutOut | undefined>((resolve) => (begun = resolve))

  const run = async (): Promise<PutOut | undefined> => {
    while (!stopped.signal.aborted) {
      try {
        await turn(deps, state)
      } catch (error) {
        if (error instanceof PutOut) {
          begun(error)
          return error
        }
        begun()
        await rest(deps, state, { error, signal: stopped.signal })
      } finally {
        clock.look()
        turned()
        begun()
      }
    }
    return undefined
  }
  return {
    isFresh: () => clock.now() - state.toldAt <= freshMs,
    over: run(),
    first,
    stop: () => stopped.abort(),
  }
}

async function turn(deps: FeedDeps, state: State): Promise<void> {
  const { clock, questions, take, log } = deps
  const { about, answered } = questions.take()
  const waitMs = about.length > 0 ? 0 : waitFor(deps, state)
  await ask(deps, state.cursor, {
    about,
    waitMs,
    heard(answer, sent) {
      const now = parseInstant(answer.now)
      if (now === undefined) throw new Error('the server did not say what time it is')
      clock.learn(now, sent)
      take(answer)
      state.cursor = answer.cursor
      state.toldAt = now
      answered()
      if (state.failures > 0) log('server-answers', { after: state.failures })
      state.failures = 0
    },
  })
}

type Asking = {
  readonly about: readonly string[]
  readonly waitMs: number
  /** Each answer, as it comes. @param sent when the question was */
  readonly heard: (answer: SyncAnswer, sent: Reading) => void
}

/** Resolves when there are no more answers, or there is something to ask: what one on its way said is said again. */
async function ask(
  { plane, clock, questions, share }: FeedDeps,
  cursor: string | undefined,
  asking: Asking,
): Promise<void> {
  const { about, waitMs, heard } = asking
  const input = {
    waitMs,
    ...(cursor !== undefined && { cursor }),
    ...(waitMs > 0 && { followMs: Math.min(gatewayLimits.syncFollowMs, waitMs) }),
    ...(about.length > 0 && { about: [...about] }),
    ...(share.of > 1 && { worker: share.worker }),
  }
  // Only what waits can be interrupted, so that each question gets its answer however many more there are.
  const interrupted = waitMs > 0 ? questions.wait() : undefined
  try {
    await plane.ask((client, { signal }) => {
      const sent = clock.read()
      const signals = [signal, interrupted].filter((one) => one !== undefined)
      const onAnswer = (answer: unknown): void => heard(readSync(answer), sent)
      return client.syncGateway(input, { signal: AbortSignal.any(signals), onAnswer })
    }, waitMs)
  } catch (error) {
    if (interrupted?.aborted !== true) throw error
  }
}

/**
 * Half of what may pass without an answer, so that one that gets lost keeps nobody out. Now and then none at all: only
 * an answer that comes at once tells the time well.
 */
function waitFor({ clock, freshMs }: FeedDeps, state: State): number {
  const nowMs = clock.read().steadyMs
  if (state.cursor === undefined || nowMs - state.timedAtMs >= limits.clockEveryMs) {
    state.timedAtMs = nowMs
    return 0
  }
  return Math.min(gatewayLimits.syncWaitMs, Math.max(100, Math.floor(freshMs / 2)))
}

type Failed = { readonly error: unknown; readonly signal: AbortSignal }

async function rest({ random, log }: FeedDeps, state: State, { error, signal }: Failed): Promise<void> {
  if (signal.aborted) return
  state.failures += 1
  if (state.failures === 1) log('server-silent', { why: String(error) })
  await pause(backoffMs(state.failures, random), signal)
}
