/**
 * Proofs that are worth something for a while: whoever came in from somewhere a moment ago is likely to come again. A
 * proof counts once, and soon not at all.
 */

import { postgresLimits as limits } from '../limits.ts'
import type { Login } from './ports.ts'

/** Who says who they are, and where from. */
export type Comer = { readonly login: Login; readonly address: string }

export type Credits = {
  /** Of one who has proved it. */
  readonly earn: (comer: Comer) => void
  /** Whether there was one. */
  readonly spend: (comer: Comer) => boolean
}

export function createCredits(elapsedMs: () => number): Credits {
  /** Until when each is good, the first to go first; who earned one last is last. */
  const known = new Map<string, number[]>()

  const isOver = (until: readonly number[]): boolean => (until.at(-1) ?? 0) <= elapsedMs()
  /** What nobody comes back for goes when others come. */
  const makeRoom = (): void => {
    for (const [name, until] of known) {
      if (known.size <= limits.creditOwners && !isOver(until)) return
      known.delete(name)
    }
  }
  return {
    earn(comer) {
      const name = nameOf(comer)
      const until = [...(known.get(name) ?? []), elapsedMs() + limits.creditMs].slice(-limits.creditsEach)
      known.delete(name)
      known.set(name, until)
      makeRoom()
    },
    spend(comer) {
      const name = nameOf(comer)
      const good = (known.get(name) ?? []).filter((until) => until > elapsedMs())
      const [spent, ...left] = good
      if (left.length === 0) known.delete(name)
      else known.set(name, left)
      return spent !== undefined
    },
  }
}

const nameOf = ({ login: { user, database }, address }: Comer): string => JSON.stringify([address, user, database])
