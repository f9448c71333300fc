/** Watching a session from inside the process: whoever is too slow misses events and is told, and slows nobody. */

import { roomForEvent } from '../format/event-codec.ts'
import type { RecorderLimits } from '../limits.ts'
import type { SealedEvent } from '../policy.ts'

/** As it stands in the recording: what is hidden there is hidden here. */
export type RecordedEvent = SealedEvent & {
  /** Counts the events of a recording from 1. */
  readonly sequence: number
}

export type WatchedEvent = RecordedEvent | { readonly type: 'missed'; readonly events: number }

export type Watchers = {
  /** How many there are. */
  readonly count: number
  readonly show: (event: RecordedEvent) => void
  /** What is shown from now on. Leaving the loop ends it. */
  readonly watch: () => AsyncIterableIterator<WatchedEvent, undefined>
  /** There is nothing more: each watcher gets what it has not seen yet. */
  readonly end: () => void
}

type Watcher = { readonly show: (event: RecordedEvent) => void; readonly end: () => void }

export function createWatchers(limits: RecorderLimits['watcher']): Watchers {
  const all = new Set<Watcher>()
  let isOver = false
  const counted = (): void => {
    watchers.count = all.size
  }
  // A field, since it is looked at for each event that is recorded.
  const watchers = {
    count: 0,
    show(event: RecordedEvent): void {
      for (const watcher of all) watcher.show(event)
    },
    watch() {
      const { watcher, events } = createWatcher(limits, () => {
        all.delete(watcher)
        counted()
      })
      if (isOver) watcher.end()
      else all.add(watcher)
      counted()
      return events
    },
    end() {
      isOver = true
      for (const watcher of all) watcher.end()
      all.clear()
      counted()
    },
  }
  return watchers
}

function createWatcher(
  limits: RecorderLimits['watcher'],
  left: () => void,
): { readonly watcher: Watcher; readonly events: AsyncIterableIterator<WatchedEvent, undefined> } {
  let queue: RecordedEvent[] = []
  let bytes = 0
  let missed = 0
  let isOver = false
  let wake: (() => void) | undefined

  const ring = (): void => {
    wake?.()
    wake = undefined
  }

  /** All that waits, and then what was missed after it: events are dropped at the end, so that order holds. */
  const take = (): WatchedEvent[] => {
    const taken: WatchedEvent[] = missed > 0 ? [...queue, { type: 'missed', events: missed }] : queue
    queue = []
    bytes = 0
    missed = 0
    return taken
  }

  async function* watched(): AsyncGenerator<WatchedEvent, undefined> {
    try {
      for (;;) {
        yield* take()
        if (isOver && queue.length === 0 && missed === 0) return undefined
        if (queue.length === 0 && missed === 0) await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      left()
    }
  }

  const watcher: Watcher = {
    show(event) {
      const room = roomForEvent(event)
      if (missed > 0 || queue.length >= limits.events || bytes + room > limits.bytes) missed += 1
      else {
        queue.push(event)
        bytes += room
      }
      ring()
    },
    end() {
      isOver = true
      ring()
    },
  }
  const inner = watched()
  const events: AsyncIterableIterator<WatchedEvent, undefined> = {
    next: () => inner.next(),
    // A generator that waits does not hear that it is left.
    return: async () => {
      left()
      watcher.end()
      take()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => events,
  }
  return { watcher, events }
}
