/**
 * How many sessions there may be, of one gateway, of one grant and of one principal. Those who have not proved who they
 * are can have a place, and keep nobody out with it.
 */

import type { GrantId } from '@tidegate/core'
import type { SessionLimits } from './ports.ts'

export type Places = {
  /** Why there is no room for another one, for people; `undefined`: there is. Holds the place until `release`. */
  readonly reserve: (owner: Owner) => string | undefined
  readonly release: (owner: Owner) => void
  /**
   * A place for someone who has proved nothing yet, where there is one: whoever has proved who they are, and finds none,
   * has it instead. `leave` is to release it.
   */
  readonly reserveAhead: (owner: Owner, leave: () => void) => boolean
  /** Who it is for has proved it: from here on it is a place like any other. */
  readonly keep: (owner: Owner) => void
}

export type Owner = { readonly grant: GrantId; readonly principal: string }

export function createPlaces(limits: SessionLimits): Places {
  const perGrant = createTally()
  const perPrincipal = createTally()
  /** By the owner that it was reserved for. */
  const ahead = new Map<Owner, () => void>()
  let taken = 0

  const release = (owner: Owner): void => {
    const { grant, principal } = owner
    ahead.delete(owner)
    taken--
    perGrant.add(grant, -1)
    perPrincipal.add(principal, -1)
  }

  const fullFor = ({ grant, principal }: Owner): string | undefined => {
    if (taken >= limits.sessions) return `this gateway has ${limits.sessions} open sessions`
    if (perGrant.of(grant) >= limits.sessionsPerGrant) {
      return `grant ${grant} has ${limits.sessionsPerGrant} open sessions; close one`
    }
    if (perPrincipal.of(principal) >= limits.sessionsPerPrincipal) {
      return `${principal} has ${limits.sessionsPerPrincipal} open sessions; close one`
    }
    return undefined
  }
  const take = ({ grant, principal }: Owner): void => {
    taken++
    perGrant.add(grant, 1)
    perPrincipal.add(principal, 1)
  }
  const makeRoom = ({ grant, principal }: Owner): void => {
    for (const [other, leave] of ahead) {
      if (taken >= limits.sessions || other.grant === grant || other.principal === principal) leave()
    }
  }

  return {
    reserve(owner) {
      if (fullFor(owner) !== undefined) makeRoom(owner)
      const full = fullFor(owner)
      if (full === undefined) take(owner)
      return full
    },
    release,
    reserveAhead(owner, leave) {
      if (fullFor(owner) !== undefined) return false
      take(owner)
      ahead.set(owner, leave)
      return true
    },
    keep: (owner) => void ahead.delete(owner),
  }
}

type Tally = { readonly of: (name: string) => number; readonly add: (name: string, by: 1 | -1) => void }

function createTally(): Tally {
  const counts = new Map<string, number>()
  return {
    of: (name) => counts.get(name) ?? 0,
    add(name, by) {
      const count = (counts.get(name) ?? 0) + by
      if (count === 0) counts.delete(name)
      else counts.set(name, count)
    },
  }
}
