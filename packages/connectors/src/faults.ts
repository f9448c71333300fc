/**
 * Faults for tests and the simulation: what a connector sends to its target, counted, and one of it lost.
 * A fixture passes everything that its connector sends through `send`.
 */

export type Fault = {
  /** `before`: cut off before it is sent, so it is not done. `after`: it is done, and the answer is lost. */
  readonly when: 'before' | 'after'
  /** Which one from now on, counted from 1. */
  readonly nth: number
}

export type Faults = {
  /** Starts to count anew; with no fault nothing is lost. */
  arm(fault?: Fault): void
  /** Whether the fault has happened since it was armed. */
  struck(): boolean
  /** @param cut ends the connection, as the fault would */
  send<T>(work: () => Promise<T>, cut: () => void): Promise<T>
}

export function createFaults(): Faults {
  let armed: Fault | undefined
  let sent = 0
  let hit = false
  const lost = (cut: () => void): never => {
    hit = true
    cut()
    throw Object.assign(new Error('the connection was lost'), { code: 'ECONNRESET' })
  }
  return {
    arm(fault) {
      armed = fault
      sent = 0
      hit = false
    },
    struck: () => hit,
    async send(work, cut) {
      sent++
      const strikes = armed?.nth === sent ? armed.when : undefined
      if (strikes === 'before') return lost(cut)
      if (strikes === undefined) return work()
      // A refusal is an answer too.
      await work().catch(() => undefined)
      return lost(cut)
    },
  }
}
