/** When a session ends by itself, and that it is told before. */

import type { Instant } from '@tidegate/core'
import { type Clock, createAlarm } from './clock.ts'

export type Deadline = {
  readonly at: () => Instant
  readonly move: (to: Instant) => void
  readonly clear: () => void
}

type DeadlineConfig = {
  readonly clock: Clock
  readonly at: Instant
  readonly warnBeforeMs: number
  /** Once for a deadline; again for one that was moved so far away that the warning came too early. */
  readonly onWarn: (deadline: Instant) => void
  readonly onOver: () => void
}

export function createDeadline({ clock, at, warnBeforeMs, onWarn, onOver }: DeadlineConfig): Deadline {
  let deadline = at
  let warned = false

  const look = (): void => {
    const now = clock.now()
    const warnAt = (deadline - warnBeforeMs) as Instant
    if (now >= deadline) {
      onOver()
      return
    }
    if (now < warnAt) warned = false
    else if (!warned) {
      warned = true
      onWarn(deadline)
    }
    alarm.set(warned ? deadline : warnAt)
  }
  const alarm = createAlarm(clock, look)
  // Not at once: whoever asks for it is not ready to be told.
  alarm.set(clock.now())
  return {
    at: () => deadline,
    move(to) {
      deadline = to
      look()
    },
    clear: alarm.clear,
  }
}
