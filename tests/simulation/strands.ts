/**
 * What runs in a simulated process, one effect at a time. A strand is one operation, pass or tending; each statement it
 * sends to the store and each thing it does to a target is a point, where it waits until the scheduler lets it through.
 * Between two points nothing but its own code runs, so a history is decided by the order in which points are let
 * through, and by the faults that strike there.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Random } from './random.ts'

export type FaultKind = 'refused' | 'lost-before' | 'lost-after' | 'late' | 'crash-before' | 'crash-after'
export const faultKinds: readonly FaultKind[] = [
  'refused',
  'lost-before',
  'lost-after',
  'late',
  'crash-before',
  'crash-after',
]

/** At the strand's n-th point, or the n-th of those that commit, counted from 1. */
export type Fault = { readonly at: number; readonly of: 'points' | 'commits'; readonly how: FaultKind }

export type Effect = {
  readonly label: string
  /** What goes the same way arrives in the order in which it was sent: the connection. Absent: it has a way of its own. */
  readonly lane?: object
  /** Does it. May wait for a lock that another strand holds. */
  readonly run: () => Promise<unknown>
  /** What a fault does here, and how the strand learns of it. */
  readonly strike: (how: FaultKind) => Promise<Struck>
  /** Absent: it never waits for a lock of another strand. */
  readonly locks?: {
    /** Who holds what it waits for. Empty: it does not wait. */
    readonly waitsFor: () => Promise<readonly number[]>
    /** Who it is. */
    readonly self: () => number
    /** As when it has waited for too long. */
    readonly giveUp: () => Promise<void>
  }
  readonly commits?: boolean
  /** Locks may have been let go of once it is done. */
  readonly releases?: boolean
}

export type Struck =
  | { readonly as: 'value'; readonly value: unknown }
  | { readonly as: 'throw'; readonly error: Error }
  | { readonly as: 'crash' }
  | { readonly as: 'run' }

type Point = {
  readonly effect: Effect
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}
type Blocked = {
  readonly point: Point
  readonly running: Promise<Settled>
  readonly how: FaultKind | undefined
  /** Itself, and those it waits for. */
  readonly chain: readonly number[]
}
type Settled = { readonly value: unknown } | { readonly error: unknown }

export type Outcome =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'crashed' }

export type Strand = {
  readonly number: number
  readonly name: string
  readonly process: number
  readonly random: Random
  readonly faults: readonly Fault[]
  /** How many points it has passed, and how many of them were commits. */
  passed: number
  commits: number
  readonly struck: string[]
  readonly waiting: Point[]
  blocked: Blocked[]
  /** Connections that it waits for. */
  queued: number
  outcome: Outcome | undefined
  /** Nothing else was under way at any time of its life. */
  solo: boolean
  readonly done: (outcome: Outcome, strand: Strand) => void
}

const running = new AsyncLocalStorage<Strand>()

/** The strand whose code is running. */
export function currentStrand(): Strand {
  const strand = running.getStore()
  if (!strand) throw new Error('This code runs outside of every strand.')
  return strand
}

export const maybeStrand = (): Strand | undefined => running.getStore()

/** Waits here until the scheduler lets it through. */
export function pass<T>(effect: Effect): Promise<T> {
  const strand = currentStrand()
  // A process that has crashed does nothing any more: whoever waits, waits for ever.
  if (strand.outcome?.kind === 'crashed') return new Promise<T>(() => undefined)
  return new Promise<T>((resolve, reject) => {
    strand.waiting.push({ effect, resolve: resolve as (value: unknown) => void, reject })
  })
}

export type Start = {
  readonly name: string
  readonly process: number
  readonly random: Random
  readonly faults: readonly Fault[]
  readonly done: (outcome: Outcome, strand: Strand) => void
}

export type Scheduler = {
  readonly start: (start: Start, work: () => Promise<unknown>) => Promise<Strand>
  /** Lets it through points until it is done, is waiting for another, or has passed this many. */
  readonly run: (strand: Strand, most?: number) => Promise<void>
  readonly live: () => readonly Strand[]
  /** The strands of the process are no more. Their connections are the store's business. */
  readonly crash: (process: number) => void
  /** Someone else let go of locks: those who waited for them go on. */
  readonly released: () => Promise<void>
}

type Config = {
  readonly crash: (process: number) => Promise<void>
  readonly passed: (strand: Strand, what: string) => void
  /** No faults from now on. */
  readonly calm: () => boolean
}

const isList = (settled: Settled | readonly number[]): settled is readonly number[] => Array.isArray(settled)
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
const shortly = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

/** The first on each way. Behind one that waits for a lock nothing moves. */
const readyOf = ({ waiting, blocked }: Strand): readonly Point[] =>
  waiting.filter(
    ({ effect: { lane } }, index) =>
      lane === undefined ||
      (waiting.findIndex((one) => one.effect.lane === lane) === index &&
        !blocked.some(({ point }) => point.effect.lane === lane)),
  )

export function createScheduler({ crash, passed, calm }: Config): Scheduler {
  const strands: Strand[] = []
  let count = 0

  const isStill = (strand: Strand): boolean =>
    strand.outcome !== undefined || strand.waiting.length + strand.blocked.length + strand.queued > 0

  /** Until its code has nothing left to do but wait. Two turns are enough for promises; HTTP takes a few more. */
  const settle = async (strand: Strand): Promise<void> => {
    await turn()
    await turn()
    for (let turns = 0; !isStill(strand); turns++) {
      if (turns === 5_000)
        throw new Error(`Strand ${strand.name} waits for something that the simulation does not know.`)
      await turn()
    }
  }

  const finish = (strand: Strand, outcome: Outcome): void => {
    if (strand.outcome) return
    strand.outcome = outcome
    strands.splice(strands.indexOf(strand), 1)
    strand.done(outcome, strand)
  }

  const deliver = async (strand: Strand, point: Point, settled: Settled): Promise<void> => {
    if (strand.outcome) return
    if ('value' in settled) point.resolve(settled.value)
    else point.reject(settled.error)
    await settle(strand)
  }

  /** A list: it waits for locks of these. */
  const settledOrBlocked = async ({ effect }: Point, work: Promise<Settled>): Promise<Settled | readonly number[]> => {
    if (!effect.locks) return work
    for (let wait = 3; ; wait = 1) {
      const settled = await Promise.race([work, shortly(wait)])
      if (settled) return settled
      const holders = await effect.locks.waitsFor()
      if (holders.length > 0) return [effect.locks.self(), ...holders]
    }
  }

  const through = async (strand: Strand): Promise<void> => {
    const point = strand.random.pick(readyOf(strand)) as Point
    strand.waiting.splice(strand.waiting.indexOf(point), 1)
    const counts = { points: ++strand.passed, commits: point.effect.commits ? ++strand.commits : Number.NaN }
    const how = calm() ? undefined : strand.faults.find(({ at, of }) => at === counts[of])?.how
    passed(strand, how === undefined ? point.effect.label : `${point.effect.label} [${how}]`)
    if (how !== undefined) {
      strand.struck.push(how)
      if (how !== 'lost-after' && how !== 'crash-after') return end(strand, point, how)
    }
    await carryOut(strand, point, how)
  }

  const carryOut = async (strand: Strand, point: Point, how: FaultKind | undefined): Promise<void> => {
    const work = point.effect.run().then(
      (value): Settled => ({ value }),
      (error: unknown): Settled => ({ error }),
    )
    const settled = await settledOrBlocked(point, work)
    if (!isList(settled)) return end(strand, point, how, settled)
    const queued = strands.some(({ blocked }) =>
      blocked.some(({ chain }) => chain.some((one) => settled.includes(one))),
    )
    if (!queued) {
      strand.blocked.push({ point, running: work, how, chain: settled })
      return passed(strand, 'waits for a lock')
    }
    // Who of two that wait for one row gets it first is the store's affair, and would not replay: one waits, no more.
    passed(strand, 'has waited for too long')
    strand.struck.push('timeout')
    await point.effect.locks?.giveUp()
    await end(strand, point, how, await work)
  }

  /** What it came to, or what a fault made of it. */
  const end = async (strand: Strand, point: Point, how: FaultKind | undefined, settled?: Settled): Promise<void> => {
    const struck: Struck = how === undefined ? { as: 'run' } : await point.effect.strike(how)
    if (struck.as === 'crash') await crash(strand.process)
    else if (struck.as === 'value') await deliver(strand, point, { value: struck.value })
    else if (struck.as === 'throw') await deliver(strand, point, { error: struck.error })
    else if (settled) await deliver(strand, point, settled)
    else await carryOut(strand, point, undefined)
    if (point.effect.releases || how !== undefined) await released()
  }

  const released = async (): Promise<void> => {
    for (let again = true; again;) {
      again = false
      for (const strand of strands.slice()) {
        for (const blocked of strand.blocked.slice()) {
          const settled = await settledOrBlocked(blocked.point, blocked.running)
          if (isList(settled)) continue
          strand.blocked = strand.blocked.filter((one) => one !== blocked)
          again = true
          passed(strand, 'has the lock')
          await end(strand, blocked.point, blocked.how, settled)
        }
      }
    }
  }

  return {
    async start(options, work) {
      const alone = strands.length === 0
      for (const other of strands) other.solo = false
      const strand: Strand = {
        ...options,
        number: ++count,
        passed: 0,
        commits: 0,
        struck: [],
        waiting: [],
        blocked: [],
        queued: 0,
        outcome: undefined,
        solo: alone,
      }
      strands.push(strand)
      void running.run(strand, work).then(
        (value) => finish(strand, { kind: 'value', value }),
        (error: unknown) => finish(strand, { kind: 'error', error }),
      )
      await settle(strand)
      return strand
    },
    async run(strand, most = Number.POSITIVE_INFINITY) {
      for (let count = 0; count < most && readyOf(strand).length > 0 && !strand.outcome; count++) await through(strand)
    },
    live: () => strands.slice(),
    crash(process) {
      for (const strand of strands.slice()) {
        if (strand.process !== process) continue
        strand.waiting.length = 0
        strand.blocked = []
        finish(strand, { kind: 'crashed' })
      }
    },
    released,
  }
}
