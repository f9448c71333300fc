/** Logins on targets, asked for once for a grant and kept in memory while it lives. Nowhere else. */

import type { Instant } from '@tidegate/core'
import type { Release } from './contract.ts'
import type { LiveGrant } from './register.ts'

export type Logins = {
  /** Rejects where nobody gives it; then the next one asks again. */
  readonly of: (grant: LiveGrant) => Promise<Release>
  /** Without asking anyone. */
  readonly known: (grant: LiveGrant) => Known | undefined
  readonly forget: (grant: string) => void
  /** Those that came of another edition than this. */
  readonly forgetOthers: (than: LiveGrant) => void
  /** Those of grants whose time is over. */
  readonly forgetOver: (now: Instant, grants: Iterable<LiveGrant>) => void
  readonly clear: () => void
}

export type Known = {
  readonly release: Release
  /** Aborted when it is forgotten. */
  readonly over: AbortSignal
}

type Entry = {
  readonly edition: number
  readonly login: Promise<Release>
  readonly over: AbortController
  /** Absent: not given yet. */
  release?: Release
}

export function createLogins(release: (grant: string) => Promise<Release>): Logins {
  const known = new Map<string, Entry>()

  const forget = (grant: string): void => {
    known.get(grant)?.over.abort()
    known.delete(grant)
  }
  const ask = ({ facts: { grant }, edition }: LiveGrant): Promise<Release> => {
    forget(grant)
    const entry: Entry = { edition, login: release(grant), over: new AbortController() }
    known.set(grant, entry)
    entry.login.then(
      (given) => (entry.release = given),
      () => known.get(grant) === entry && forget(grant),
    )
    return entry.login
  }
  return {
    of(grant) {
      const found = known.get(grant.facts.grant)
      return found?.edition === grant.edition ? found.login : ask(grant)
    },
    known({ facts: { grant }, edition }) {
      const found = known.get(grant)
      if (found?.release === undefined || found.edition !== edition) return undefined
      return { release: found.release, over: found.over.signal }
    },
    forget,
    forgetOthers({ facts: { grant }, edition }) {
      if (known.get(grant)?.edition !== edition) forget(grant)
    },
    forgetOver(now, grants) {
      if (known.size === 0) return
      for (const { facts, expiresAt } of grants) if (expiresAt <= now) forget(facts.grant)
    },
    clear() {
      for (const grant of known.keys()) forget(grant)
    },
  }
}
