/** Whoever has just been given access may be here before word of it is: it is waited for, for a moment. */

import type { LiveGrant, Register } from './register.ts'

export type Arrivals = {
  /** `undefined`: no such grant was told of in that time. */
  readonly wait: (grant: string, ms: number) => Promise<LiveGrant | undefined>
  /** Something was told. */
  readonly look: () => void
}

export function createArrivals({ get }: Pick<Register, 'get'>): Arrivals {
  const waiting = new Set<() => void>()
  return {
    wait: (grant, ms) =>
      new Promise((resolve) => {
        const leave = (found?: LiveGrant): void => {
          clearTimeout(timer)
          waiting.delete(look)
          resolve(found)
        }
        const look = (): void => {
          const found = get(grant)
          if (found !== undefined) leave(found)
        }
        const timer = setTimeout(leave, ms)
        waiting.add(look)
        look()
      }),
    look() {
      for (const look of waiting) look()
    },
  }
}
