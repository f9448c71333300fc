/** Turns at a target: so many at once, first come, first served, and nobody waits for ever. */

export type Turns = {
  /** Answers with how to give the turn back; `undefined`: it did not come in time. */
  readonly take: (resource: string) => Promise<(() => void) | undefined>
}

type Config = { readonly atOnce: number; readonly patienceMs: number }

export function createTurns({ atOnce, patienceMs }: Config): Turns {
  const taken = new Map<string, number>()
  const waiting = new Map<string, Set<() => void>>()

  const giveBack = (resource: string): void => {
    const [next] = waiting.get(resource) ?? []
    if (next) return next()
    const left = (taken.get(resource) ?? 1) - 1
    if (left === 0) taken.delete(resource)
    else taken.set(resource, left)
  }

  const once = (resource: string): (() => void) => {
    let given = false
    return () => {
      if (!given) giveBack(resource)
      given = true
    }
  }

  return {
    async take(resource) {
      const count = taken.get(resource) ?? 0
      if (count < atOnce) {
        taken.set(resource, count + 1)
        return once(resource)
      }
      const queue = waiting.get(resource) ?? new Set()
      waiting.set(resource, queue)
      return new Promise((resolve) => {
        const leave = (): void => {
          clearTimeout(timer)
          queue.delete(come)
          if (queue.size === 0) waiting.delete(resource)
        }
        const come = (): void => {
          leave()
          resolve(once(resource))
        }
        const timer = setTimeout(() => {
          leave()
          resolve(undefined)
        }, patienceMs)
        queue.add(come)
      })
    },
  }
}
