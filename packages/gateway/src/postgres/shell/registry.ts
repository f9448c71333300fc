/** The open sessions of one gateway: in their places, found by grant, and cancelled by their own key only. */

import { timingSafeEqual } from 'node:crypto'
import type { GrantId } from '@tidegate/core'
import { createPlaces, type Places } from './places.ts'
import type { SessionLimits } from './ports.ts'
import type { OpenSession } from './session.ts'

export type CancelKey = { readonly processId: number; readonly key: Buffer }

export type Registry = Places & {
  /** In a place that was reserved. It leaves when it is closed. */
  readonly add: (session: OpenSession, key: CancelKey) => void
  /** A process id that no session of ours has. */
  readonly freeProcessId: (random: (count: number) => Uint8Array) => number
  readonly cancel: (key: CancelKey) => Promise<void>
  readonly list: () => readonly OpenSession[]
  readonly ofGrant: (grant: GrantId) => readonly OpenSession[]
}

export function createRegistry(limits: SessionLimits): Registry {
  const sessions = new Map<number, { readonly session: OpenSession; readonly key: Buffer }>()
  const byGrant = new Map<GrantId, Set<OpenSession>>()
  const places = createPlaces(limits)

  return {
    ...places,
    add(session, { processId, key }) {
      const { grant } = session
      const ofGrant = byGrant.get(grant) ?? new Set()
      sessions.set(processId, { session, key })
      byGrant.set(grant, ofGrant.add(session))
      const leave = (): void => {
        sessions.delete(processId)
        ofGrant.delete(session)
        if (ofGrant.size === 0 && byGrant.get(grant) === ofGrant) byGrant.delete(grant)
        places.release(session)
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
