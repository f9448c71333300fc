/** Keeping a session back while its recorder cannot keep up. */

import { later } from './later.ts'

export type Pressure = {
  /** A promise while there is too much, the same one for everyone who asks. */
  readonly waited: () => Promise<void> | undefined
  /** Looks whether there is too much. */
  readonly feel: () => void
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

class BackPressure implements Pressure {
  private waiting: ReturnType<typeof later<void>> | undefined = undefined
  private readonly deps: PressureDeps

  constructor(deps: PressureDeps) {
    this.deps = deps
  }

  waited(): Promise<void> | undefined {
    return this.waiting?.promise
  }

  feel(): void {
    if (this.waiting !== undefined || !this.deps.isTooMuch()) return
    this.waiting = later()
    this.deps.began()
  }

  relieve(): void {
    if (this.waiting === undefined || !this.deps.isLittle()) return
    const { resolve } = this.waiting
    this.waiting = undefined
    this.deps.ended()
    resolve()
  }
}

export const createPressure = (deps: PressureDeps): Pressure => new BackPressure(deps)
