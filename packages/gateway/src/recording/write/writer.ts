/** Brings what one session recorded to disk, turn by turn, and anchors what is there. */

import type { Instant } from '@tidegate/core'
import type { Head } from '../format/head.ts'
import { createAnchoring } from './anchoring.ts'
import type { Anchoring } from './anchoring.ts'
import type { Block } from './block-builder.ts'
import type { DiskFile, DiskTurn } from './disk.ts'
import type { Intake } from './intake.ts'
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
  readonly file: DiskFile
  readonly anchor: (head: Head) => void
  /** Something that was recorded is not on disk for so long that there may be too much of it. */
  readonly late: () => void
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
  const { shared, session, intake, file, anchor, turned, late, over } = deps
  const state: State = { phase: 'open', isFlushAsked: false, waiting: undefined, flushing: undefined }
  const ask = (): void => shared.turns.ask(turn)
  const anchoring = createAnchoring({
    session,
    anchor,
    later: shared.anchors.add,
    // What waits for its flush has a turn soon, and that one anchors as well.
    due: () => state.waiting ?? ask(),
  })

  const turn = async (): Promise<boolean> => {
    try {
      if (state.phase === 'over') return false
      return await takeTurn(deps, state, { anchoring, finish })
    } catch (error) {
      fail(error)
      return false
    } finally {
      turned()
    }
  }

  const finish = (head: Head): void => {
    state.phase = 'over'
    state.flushing = undefined
    anchoring.end(head)
    over()
  }

  const fail = (error: unknown): void => {
    if (state.phase === 'over') return
    state.phase = 'over'
    state.waiting = undefined
    state.flushing = undefined
    intake.clear()
    file.abandon()
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
    shared.lags.add(late)
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

type Turning = { readonly anchoring: Anchoring; readonly finish: (head: Head) => void }

/** Resolves with whether there is more to do. What is recorded while it waits for the disk is for the next turn. */
async function takeTurn(
  { shared, intake, file }: WriterDeps,
  state: State,
  { anchoring, finish }: Turning,
): Promise<boolean> {
  const isEnding = state.phase === 'ending'
  const isFlush = state.isFlushAsked || isEnding
  if (isFlush) {
    state.isFlushAsked = false
    intake.close()
    state.flushing ??= state.waiting
    state.waiting = undefined
  }
  const blocks = takeBlocks(intake, shared.limits.turnBytes)
  const hasMore = intake.isFull()
  const isAnchor = anchoring.isDue() && !hasMore
  const isLast = isEnding && !hasMore
  const turn: DiskTurn = {
    blocks,
    // Nothing is anchored of a file that is not what was written.
    inspects: isAnchor || isLast,
    syncs: isFlush && !hasMore,
    ...(isLast && { ends: shared.clock.now() }),
  }
  if (blocks.length === 0 && !turn.inspects && !turn.syncs) return false
  const head = await file.write(turn)
  // A disk that hung may answer after it was given up.
  if (isOver(state)) return false
  for (const block of blocks) intake.written(block)
  if (hasMore) state.isFlushAsked ||= isFlush
  else if (isLast) finish(head)
  else if (isFlush) {
    state.flushing = undefined
    anchoring.moved(head)
  }
  if (isAnchor && !isLast) anchoring.put()
  return hasMore
}

const isOver = ({ phase }: State): boolean => phase === 'over'

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

/** As many full blocks as one turn has room for. */
function takeBlocks(intake: Intake, mostBytes: number): readonly Block[] {
  const blocks: Block[] = []
  for (let bytes = 0; bytes < mostBytes;) {
    const block = intake.next()
    if (block === undefined) break
    blocks.push(block)
    bytes += block.content.length
  }
  return blocks
}
