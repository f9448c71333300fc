/** The open sessions of one gateway: in their places, found by grant, and cancelled by their own key only. */

import { timingSafeEqual } from 'node:crypto'
import type { GrantId } from '@tidegate/core'
import { isNumberOf, makeOf, type Share, wholeShare } from '../../share.ts'
import { createPlaces, type Places } from './places.ts'
import type { SessionLimits } from './ports.ts'
import type { OpenSession } from './session.ts'

export type CancelKey = { readonly processId: number; readonly key: Buffer }

export type Registry = Places & {
  /** In a place that was reserved. It leaves when it is closed. */
  readonly add: (session: OpenSession, key: CancelKey) => void
  /** A process id of our share that no session of ours has. */
  readonly freeProcessId: (random: (count: number) => Uint8Array) => number
  /** Also of a session that another worker has. */
  readonly cancel: (key: CancelKey) => Promise<void>
  /** Of a session that is here, if there is one. */
  readonly cancelHere: (key: CancelKey) => Promise<void>
  readonly list: () => readonly OpenSession[]
  readonly ofGrant: (grant: GrantId) => readonly OpenSession[]
}

/** Where there are other workers, `cancel` reaches the one whose session it is. */
export type Siblings = { readonly share: Share; readonly cancel: (key: CancelKey) => Promise<void> }

export function createRegistry(limits: SessionLimits, { share, cancel }: Siblings = alone): Registry {
  const sessions = new Map<number, { readonly session: OpenSession; readonly key: Buffer }>()
  const byGrant = new Map<GrantId, Set<OpenSession>>()
  const places = createPlaces(limits)

  const cancelHere: Registry['cancelHere'] = async ({ processId, key }) => {
    const found = sessions.get(processId)
    if (found?.key.length === key.length && timingSafeEqual(found.key, key)) await found.session.cancel()
  }

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
    freeProcessId: (random) =>
      makeOf(
        () => Buffer.from(random(4)).readUInt32BE() & 0x7fff_ffff,
        (id) => id !== 0 && isNumberOf(share, id) && !sessions.has(id),
      ),
    cancel: (asked) => (isNumberOf(share, asked.processId) ? cancelHere(asked) : cancel(asked)),
    cancelHere,
    list: () => [...sessions.values()].map(({ session }) => session),
    ofGrant: (grant) => [...(byGrant.get(grant) ?? [])],
  }
}

const alone: Siblings = { share: wholeShare, cancel: () => Promise.resolve() }
