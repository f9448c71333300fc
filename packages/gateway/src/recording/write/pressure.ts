/** Keeping a session back while its recorder cannot keep up. */

import { later } from './later.ts'

export type Pressure = {
  /** A promise while there is too much, the same one for everyone who asks. */
  readonly ask: () => Promise<void> | undefined
  /** Looks again, and lets the session go on if there is little enough. */
  readonly relieve: () => void
}

type PressureDeps = {
  readonly isTooMuch: () => boolean
  /** Less than what is too much, so that a session is not stopped again at once. */
  readonly isLittle: () => boolean
  /** Called when somebody begins to wait. */
  readonly began: () => void
  readonly ended: () => void
}

export function createPressure({ isTooMuch, isLittle, began, ended }: PressureDeps): Pressure {
  let waiting: ReturnType<typeof later<void>> | undefined
  return {
    ask() {
      if (waiting === undefined && isTooMuch()) {
        waiting = later()
        began()
      }
      return waiting?.promise
    },
    relieve() {
      if (waiting === undefined || !isLittle()) return
      const { resolve } = waiting
      waiting = undefined
      ended()
      resolve()
    },
  }
}
