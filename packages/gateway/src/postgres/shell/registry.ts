/** The open sessions of one gateway: found by grant, counted against their limits, and cancelled by their own key only. */

import { timingSafeEqual } from 'node:crypto'
import type { GrantId } from '@tidegate/core'
import type { SessionLimits } from './ports.ts'
import type { OpenSession } from './session.ts'

export type CancelKey = { readonly processId: number; readonly key: Buffer }

export type Registry = {
  /** Why there is no room for another one, for people; `undefined`: there is. Holds the place until `add` or `release`. */
  readonly reserve: (owner: Owner) => string | undefined
  readonly release: (owner: Owner) => void
  /** In a place that was reserved. It leaves when it is closed. */
  readonly add: (session: OpenSession, key: CancelKey) => void
  /** A process id that no session of ours has. */
  readonly freeProcessId: (random: (count: number) => Uint8Array) => number
  readonly cancel: (key: CancelKey) => Promise<void>
  readonly list: () => readonly OpenSession[]
  readonly ofGrant: (grant: GrantId) => readonly OpenSession[]
}

export type Owner = { readonly grant: GrantId; readonly principal: string }

export function createRegistry(limits: SessionLimits): Registry {
  const sessions = new Map<number, { readonly session: OpenSession; readonly key: Buffer }>()
  const byGrant = new Map<GrantId, Set<OpenSession>>()
  const perGrant = createTally()
  const perPrincipal = createTally()
  let places = 0

  const release = ({ grant, principal }: Owner): void => {
    places--
    perGrant.add(grant, -1)
    perPrincipal.add(principal, -1)
  }

  return {
    reserve({ grant, principal }) {
      if (places >= limits.sessions) return `this gateway has ${limits.sessions} open sessions`
      if (perGrant.of(grant) >= limits.sessionsPerGrant) {
        return `grant ${grant} has ${limits.sessionsPerGrant} open sessions; close one`
      }
      if (perPrincipal.of(principal) >= limits.sessionsPerPrincipal) {
        return `${principal} has ${limits.sessionsPerPrincipal} open sessions; close one`
      }
      places++
      perGrant.add(grant, 1)
      perPrincipal.add(principal, 1)
      return undefined
    },
    release,
    add(session, { processId, key }) {
      const { grant } = session
      const ofGrant = byGrant.get(grant) ?? new Set()
      sessions.set(processId, { session, key })
      byGrant.set(grant, ofGrant.add(session))
      const leave = (): void => {
        sessions.delete(processId)
        ofGrant.delete(session)
        if (ofGrant.size === 0 && byGrant.get(grant) === ofGrant) byGrant.delete(grant)
        release(session)
      }
      session.closed.then(leave, leave)
    },
    freeProcessId(random) {
      for (;;) {
        const id = Buffer.from(random(4)).readUInt32BE() & 0x7fff_ffff
        if (id !== 0 && !sessions.has(id)) return id
      }
    },
    async cancel({ processId, key }) {
      const found = sessions.get(processId)
      if (found?.key.length === key.length && timingSafeEqual(found.key, key)) await found.session.cancel()
    },
    list: () => [...sessions.values()].map(({ session }) => session),
    ofGrant: (grant) => [...(byGrant.get(grant) ?? [])],
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
