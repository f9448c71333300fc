/**
 * The server's clock, as far as it can be told from here: deadlines are by it. Where there is doubt, it is taken to be
 * later than it may be, so that access ends early rather than late.
 *
 * Two clocks of this machine carry it on between answers: the time of day, which goes on while the machine sleeps, and
 * one that nobody can set back. Whichever says that it is later is believed.
 */

import { after, instant, type Instant, type Millis } from '@tidegate/core'
import type { Clock } from '../postgres/shell/clock.ts'
import { controlLimits as limits } from './limits.ts'

/** Both clocks of this machine, read at once. */
export type Reading = { readonly wallMs: number; readonly steadyMs: number }

export type ServerClock = Clock & {
  readonly read: () => Reading
  /** The server said `now` at some time after `sent` was read, and before this call. */
  readonly learn: (now: Instant, sent: Reading) => void
  /** By how much it may be less late than it is taken to be. */
  readonly doubtMs: () => number
  /** Notices that a clock of this machine was set. To be called now and then. */
  readonly look: () => void
}

/** What is to be added to a clock of ours: at least, and at most. */
type Offset = { readonly least: number; readonly most: number; readonly atMs: number }

type Pending = { readonly time: Instant; readonly callback: () => void; disarm: () => void }

/** Until it has learned anything, the machine's own time. */
export function createServerClock(base: Clock): ServerClock {
  let wall: Offset = { least: 0, most: 0, atMs: base.elapsedMs() }
  let steady: Offset | undefined
  let aheadMs = 0
  const pending = new Set<Pending>()

  const read = (): Reading => ({ wallMs: base.now(), steadyMs: base.elapsedMs() })
  const now = (): Instant => {
    const byWall = base.now() + wall.most
    return instant(Math.ceil(steady === undefined ? byWall : Math.max(byWall, base.elapsedMs() + steady.most)))
  }
  const ring = (one: Pending): void => {
    if (!pending.has(one)) return
    if (now() < one.time) {
      arm(one)
      return
    }
    pending.delete(one)
    one.callback()
  }
  const arm = (one: Pending): void => {
    const leftMs = Math.max(0, one.time - now()) as Millis
    one.disarm = base.at(after(base.now(), leftMs), () => ring(one))
  }
  const look = (): void => {
    const ahead = now() - base.now()
    const isLater = ahead > aheadMs + limits.clockNoticeMs
    // Set back, it is noticed when an alarm goes off and finds that it is not time.
    if (isLater || ahead < aheadMs) aheadMs = ahead
    if (!isLater) return
    for (const one of pending) {
      one.disarm()
      arm(one)
    }
  }

  return {
    now,
    elapsedMs: base.elapsedMs,
    at(time, callback) {
      const one: Pending = { time, callback, disarm: () => undefined }
      pending.add(one)
      arm(one)
      return () => {
        pending.delete(one)
        one.disarm()
      }
    },
    read,
    learn(said, sent) {
      const heard = read()
      const tookMs = Math.max(0, heard.wallMs - sent.wallMs, heard.steadyMs - sent.steadyMs)
      const seen = (ourMs: number): Offset => ({
        least: said - ourMs,
        most: said - ourMs + tookMs,
        atMs: heard.steadyMs,
      })
      wall = narrowed(steady && wall, seen(heard.wallMs))
      steady = narrowed(steady, seen(heard.steadyMs))
      look()
    },
    doubtMs: () => (steady === undefined ? Infinity : steady.most - steady.least),
    look,
  }
}

/** What fits both. Where nothing does, a clock was set, and only the newer counts. */
function narrowed(known: Offset | undefined, seen: Offset): Offset {
  if (known === undefined) return seen
  const driftMs = (seen.atMs - known.atMs) * limits.clockDrift
  const least = Math.max(known.least - driftMs, seen.least)
  const most = Math.min(known.most + driftMs, seen.most)
  return least <= most ? { least, most, atMs: seen.atMs } : seen
}
