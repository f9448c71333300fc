/** Brings what one session recorded to disk, turn by turn, and anchors what is there. */

import type { Instant } from '@tidegate/core'
import type { Head } from '../format/head.ts'
import { createAnchoring } from './anchoring.ts'
import type { Intake } from './intake.ts'
import type { SessionFile } from './session-file.ts'
import type { Shared } from './shared.ts'
import { writingFault } from './writing-fault.ts'

export type Writer = {
  /** Something was recorded: it is on disk soon. */
  readonly touch: () => void
  /** Writes full blocks, when the turn comes. */
  readonly write: () => void
  /** Writes and syncs everything, when the turn comes. */
  readonly flush: () => void
  /** When the oldest was recorded that is not on disk. */
  readonly oldest: () => Instant | undefined
  /** Gives up. */
  readonly fail: (error: unknown) => void
  /** Writes everything and closes. */
  readonly end: () => void
  /** What is on disk. */
  readonly head: () => Head
}

type WriterDeps = {
  readonly shared: Shared
  readonly session: string
  readonly intake: Intake
  readonly file: SessionFile
  readonly anchor: (head: Head) => void
  /** After each turn. */
  readonly turned: () => void
  /** It has ended: with a reason, if it failed. Called once. */
  readonly over: (reason?: string) => void
}

type State = {
  phase: 'open' | 'ending' | 'over'
  isFlushAsked: boolean
  /** When the oldest was recorded of what waits for its flush, and of what is being flushed. */
  waiting: Instant | undefined
  flushing: Instant | undefined
}

export function createWriter(deps: WriterDeps): Writer {
  const { shared, session, intake, file, anchor, turned, over } = deps
  const state: State = { phase: 'open', isFlushAsked: false, waiting: undefined, flushing: undefined }
  const ask = (): void => shared.turns.ask(turn)
  const anchoring = createAnchoring({ session, anchor, later: shared.anchors.add, due: ask })

  const turn = async (): Promise<boolean> => {
    try {
      if (state.phase === 'over') return false
      const isLast = state.phase === 'ending'
      const hasMore = await takeTurn(deps, state, anchoring)
      if (isLast && !hasMore) await finish()
      return hasMore
    } catch (error) {
      fail(error)
      return false
    } finally {
      turned()
    }
  }

  const finish = async (): Promise<void> => {
    await file.finish(shared.clock.now())
    await file.close()
    // A disk that hung may answer after it was given up.
    if (state.phase === 'over') return
    state.phase = 'over'
    state.flushing = undefined
    anchoring.end(file.head())
    over()
  }

  const fail = (error: unknown): void => {
    if (state.phase === 'over') return
    state.phase = 'over'
    state.waiting = undefined
    state.flushing = undefined
    intake.clear()
    void file.abandon()
    anchoring.put()
    over(writingFault(error))
  }

  const flush = (): void => {
    state.isFlushAsked = true
    ask()
  }
  const flushDue = (): void => {
    if (state.waiting !== undefined) flush()
  }
  const oldest = (): Instant | undefined => state.flushing ?? state.waiting
  const stall = watchForStalls(shared, oldest, () => fail(new Error('the disk of recordings does not answer')))
  const touch = (): void => {
    if (state.waiting !== undefined) return
    state.waiting = shared.clock.now()
    shared.flushes.add(flushDue)
    stall.watch()
  }
  return {
    touch,
    write: ask,
    flush,
    oldest,
    fail,
    end() {
      if (state.phase !== 'open') return
      touch()
      state.phase = 'ending'
      ask()
    },
    head: anchoring.head,
  }
}

/** Resolves with whether there is more to do. What is recorded while it waits for the disk is for the next turn. */
async function takeTurn(
  { shared, intake, file }: WriterDeps,
  state: State,
  anchoring: ReturnType<typeof createAnchoring>,
): Promise<boolean> {
  const isLast = state.phase === 'ending'
  const isFlush = state.isFlushAsked || isLast
  if (isFlush) {
    state.isFlushAsked = false
    intake.close()
    state.flushing ??= state.waiting
    state.waiting = undefined
  }
  if (await writeBlocks(intake, file, shared.limits.turnBytes)) {
    state.isFlushAsked ||= isFlush
    return true
  }
  // What is the last is on disk once the end is, which is still to be written.
  if (isFlush && !isLast) {
    await file.sync()
    state.flushing = undefined
    anchoring.moved(file.head())
  }
  if (anchoring.isDue() || isLast) await inspect(file)
  if (anchoring.isDue()) anchoring.put()
  return false
}

/**
 * A disk that hangs fails nothing: it answers nothing. What is the oldest now and was a round ago has waited through
 * all of it, whatever was done to the time of day.
 */
function watchForStalls(
  { stalls }: Shared,
  oldest: () => Instant | undefined,
  stalled: () => void,
): { readonly watch: () => void } {
  let isWatched = false
  let before: Instant | undefined
  const look = (): void => {
    isWatched = false
    const now = oldest()
    if (now !== undefined && now === before) stalled()
    before = now
    if (now !== undefined) watch()
  }
  const watch = (): void => {
    if (!isWatched) stalls.add(look)
    isWatched = true
  }
  return { watch }
}

/** As many full blocks as one turn has room for. Resolves with whether there are more. */
async function writeBlocks(intake: Intake, file: SessionFile, mostBytes: number): Promise<boolean> {
  for (let bytes = 0; bytes < mostBytes;) {
    const block = intake.next()
    if (block === undefined) return false
    await file.append(block)
    intake.written(block)
    bytes += block.content.length
  }
  return intake.isFull()
}

/** Nothing is anchored of a file that is not what was written. */
async function inspect(file: SessionFile): Promise<void> {
  const problem = await file.inspect()
  if (problem !== undefined) throw new Error(problem)
}
