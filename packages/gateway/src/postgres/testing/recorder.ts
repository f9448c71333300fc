import { EventEmitter } from 'node:events'
import type { SessionEvent, SessionRecorder } from '../../recording/event.ts'

export type MemoryRecorder = SessionRecorder & {
  readonly events: SessionEvent[]
  readonly of: <T extends SessionEvent['type']>(type: T) => readonly Extract<SessionEvent, { type: T }>[]
  readonly texts: () => readonly string[]
  /** Emits each event under its type. */
  readonly recorded: EventEmitter
  readonly isEnded: () => boolean
  /** It cannot keep up until the function that is given back is called. */
  readonly press: () => () => void
  readonly fail: (reason: string) => void
}

/** Keeps what it is told. */
export function createMemoryRecorder({ keepsRows = false }: { readonly keepsRows?: boolean } = {}): MemoryRecorder {
  const events: SessionEvent[] = []
  const recorded = new EventEmitter()
  let pressed: Promise<void> | undefined
  let ended = false
  let fail: (reason: string) => void = () => undefined
  const of: MemoryRecorder['of'] = (type) => events.filter((event) => event.type === type) as never
  return {
    events,
    recorded,
    of,
    texts: () => of('statement').map(({ text }) => text),
    isEnded: () => ended,
    press() {
      let ease: () => void = () => undefined
      pressed = new Promise((resolve) => {
        ease = resolve
      })
      return () => {
        pressed = undefined
        ease()
      }
    },
    fail: (reason) => fail(reason),
    record(event) {
      events.push(event)
      recorded.emit(event.type, event)
    },
    keepsRows,
    wantsRows: () => keepsRows,
    pressure: () => pressed,
    failed: new Promise((resolve) => {
      fail = resolve
    }),
    async end() {
      ended = true
    },
  }
}
