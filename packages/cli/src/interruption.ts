/** Signals that end a wait, and that must not end us before what we opened is closed. */

import type { Context } from './context.ts'
import type { Exit } from './exit-codes.ts'
import { exitOfSignal } from './exit-codes.ts'

const caught = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const satisfies readonly NodeJS.Signals[]

export type CaughtSignal = (typeof caught)[number]

export type Interruption = {
  /** Aborts on the first signal. */
  readonly signal: AbortSignal
  /** Every signal so far, in order. */
  readonly received: () => readonly CaughtSignal[]
  /** Calls back for every signal from here on, until what it returns is called. */
  readonly listen: (listener: (signal: CaughtSignal) => void) => () => void
}

/**
 * From here until `work` is settled, signals are told to it and do nothing else. Work that lets the abort of the
 * signal through exits as a program does that dies of it.
 */
export async function withInterruption(
  { onSignal }: Pick<Context, 'onSignal'>,
  work: (interruption: Interruption) => Promise<Exit>,
): Promise<Exit> {
  const abort = new AbortController()
  const listeners = new Set<(signal: CaughtSignal) => void>()
  const received: CaughtSignal[] = []
  const stops = caught.map((name) =>
    onSignal(name, () => {
      received.push(name)
      abort.abort()
      for (const listener of listeners) listener(name)
    }),
  )
  const listen: Interruption['listen'] = (listener) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }
  try {
    return await work({ signal: abort.signal, received: () => received, listen })
  } catch (error) {
    const [first] = received
    if (first === undefined || error !== abort.signal.reason) throw error
    return exitOfSignal(first)
  } finally {
    for (const stop of stops) stop()
  }
}
