/** Logins on targets, asked for once for a grant and kept in memory while it lives. Nowhere else. */

import type { Instant } from '@tidegate/core'
import type { Release } from './contract.ts'
import type { LiveGrant } from './register.ts'

export type Logins = {
  /** Rejects where nobody gives it; then the next one asks again. */
  readonly of: (grant: LiveGrant) => Promise<Release>
  readonly forget: (grant: string) => void
  /** Those of grants whose time is over. */
  readonly forgetOver: (now: Instant, grants: Iterable<LiveGrant>) => void
  readonly clear: () => void
}

export function createLogins(release: (grant: string) => Promise<Release>): Logins {
  const known = new Map<string, { readonly edition: number; readonly login: Promise<Release> }>()
  return {
    of({ facts: { grant }, edition }) {
      const found = known.get(grant)
      if (found?.edition === edition) return found.login
      const entry = { edition, login: release(grant) }
      known.set(grant, entry)
      entry.login.catch(() => {
        if (known.get(grant) === entry) known.delete(grant)
      })
      return entry.login
    },
    forget: (grant) => void known.delete(grant),
    forgetOver(now, grants) {
      if (known.size === 0) return
      for (const { facts, expiresAt } of grants) if (expiresAt <= now) known.delete(facts.grant)
    },
    clear: () => known.clear(),
  }
}
