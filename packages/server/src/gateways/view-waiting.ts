/** Who waits for a recording to go on: those who read for pieces, and those who send for room. */

import { gatewayServerLimits } from './limits.ts'

/** A hint that a view has pieces, or room for some. One that is opened or closed is told by its id, like a session. */
export const pieceHint = (view: string): string => `${pieces}${view}`
export const viewOfHint = (about: string): string | undefined =>
  about.startsWith(pieces) ? about.slice(pieces.length) : undefined
const pieces = 'pieces:'

export type ViewWaiting = {
  /** Something about this view has changed. */
  readonly tell: (view: string) => void
  /** Resolves when something is told of it, in this process or, as it may be missed, after a while. */
  readonly wait: (view: string, waitMs: number) => Promise<void>
  /** Nobody waits from here on. */
  readonly stop: () => void
  readonly isStopped: () => boolean
}

export function createViewWaiting(lookEveryMs: number = gatewayServerLimits.viewLookEveryMs): ViewWaiting {
  const waiting = new Map<string, Set<() => void>>()
  let stopped = false

  const release = (view: string): void => {
    for (const leave of waiting.get(view) ?? []) leave()
  }
  return {
    tell: release,
    wait: (view, waitMs) =>
      new Promise((resolve) => {
        const others = waiting.get(view) ?? new Set()
        const leave = (): void => {
          clearTimeout(timer)
          others.delete(leave)
          if (others.size === 0) waiting.delete(view)
          resolve()
        }
        const timer = setTimeout(leave, stopped ? 0 : Math.min(waitMs, lookEveryMs))
        waiting.set(view, others.add(leave))
      }),
    stop() {
      stopped = true
      for (const view of waiting.keys()) release(view)
    },
    isStopped: () => stopped,
  }
}
