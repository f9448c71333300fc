/** Times and durations as people read them. */

import { formatDuration, parseInstant } from '@tidegate/core'
import type { Millis } from '@tidegate/core'
import type { Context } from '../context.ts'

type Clock = Pick<Context, 'now' | 'timeZone'>

export const lasting = (seconds: number): string => formatDuration((seconds * 1_000) as Millis)

/** `2026-11-21 14:05 (in 12m)`, in the reader's zone; `-` where there is no time. */
export function when(clock: Clock, text: string | undefined): string {
  const at = text === undefined ? undefined : parseInstant(text)
  return at === undefined ? '-' : `${local(at, clock.timeZone)} (${distance(at - clock.now())})`
}

/** `in 12m`, `3h ago`; `-` where there is no time. */
export function relative(clock: Clock, text: string | undefined): string {
  const at = text === undefined ? undefined : parseInstant(text)
  return at === undefined ? '-' : distance(at - clock.now())
}

/** To the second, for logs. */
export function precise(clock: Clock, text: string): string {
  const at = parseInstant(text)
  return at === undefined ? text : local(at, clock.timeZone, 'second')
}

function local(at: number, timeZone: string, to: 'minute' | 'second' = 'minute'): string {
  // Swedish writes dates as ISO 8601 does.
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: to === 'second' ? 'medium' : 'short',
  })
  return format.format(at)
}

function distance(ms: number): string {
  const length = formatDuration(rounded(Math.abs(ms)))
  if (length === '0s') return 'now'
  return ms > 0 ? `in ${length}` : `${length} ago`
}

const minute = 60_000
const day = 24 * 60 * minute

/** Down to the unit that matters at that distance. */
function rounded(ms: number): Millis {
  const unit = ms < minute ? 1_000 : ms < 2 * day ? minute : day
  return (Math.round(ms / unit) * unit) as Millis
}
