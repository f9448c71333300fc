/** The sessions of a gateway from their admission on, found by their ids and by their grants. */

import type { Instant } from '@tidegate/core'
import type { PostgresSession, Reason } from '../postgres/shell/ports.ts'
import type { Opened } from './contract.ts'
import { type Admitted, createPresence, type Presence, type PresenceDeps } from './presence.ts'

export type Sessions = {
  /** From here on it can be ended. It goes when it has closed, or when its recorder ends without its having opened. */
  readonly admit: (opened: Opened) => Admitted
  /** The session of that id is open. */
  readonly opened: (session: PostgresSession) => void
  /** Whether there is one of that id that is not over. */
  readonly has: (session: string) => boolean
  readonly end: (session: string, reason: Reason) => void
  readonly endGrant: (grant: string, reason: Reason) => void
  /** Those of them that are held to other rules than these. */
  readonly endOthers: (than: { readonly grant: string; readonly rules: string }, reason: Reason) => void
  readonly moveGrant: (grant: string, to: Instant) => void
  /** Resolves when all have closed. */
  readonly endAll: (reason: Reason) => Promise<void>
}

type SessionsDeps = Pick<PresenceDeps, 'now' | 'reports'> & {
  /** It was admitted, and will not open. */
  readonly left: (session: string) => void
}

export function createSessions({ now, reports, left }: SessionsDeps): Sessions {
  const present = new Map<string, Presence>()
  const byGrant = new Map<string, Set<Presence>>()

  const gone: PresenceDeps['gone'] = (presence, became) => {
    const { session, grant } = presence
    if (!present.delete(session)) return
    const others = byGrant.get(grant)
    others?.delete(presence)
    if (others?.size === 0) byGrant.delete(grant)
    if (became === 'nothing') left(session)
  }
  const ofGrant = (grant: string): readonly Presence[] => [...(byGrant.get(grant) ?? [])]

  return {
    admit(report) {
      const presence = createPresence(report, { now, reports, gone })
      present.set(presence.session, presence)
      byGrant.set(presence.grant, (byGrant.get(presence.grant) ?? new Set()).add(presence))
      return presence
    },
    opened(session) {
      const presence = present.get(session.id)
      // One that is open and not known here could not be ended by anyone.
      if (presence === undefined) void session.end('the session is not known')
      else presence.opened(session)
    },
    has: (session) => present.has(session),
    end: (session, reason) => void present.get(session)?.end(reason),
    endGrant(grant, reason) {
      for (const presence of ofGrant(grant)) void presence.end(reason)
    },
    endOthers({ grant, rules }, reason) {
      for (const presence of ofGrant(grant)) {
        if ((presence.rules() ?? rules) !== rules) void presence.end(reason)
      }
    },
    moveGrant(grant, to) {
      for (const presence of ofGrant(grant)) presence.move(to)
    },
    async endAll(reason) {
      await Promise.all(Array.from(present.values(), (presence) => presence.end(reason)))
    },
  }
}
