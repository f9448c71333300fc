/** Logins on targets, asked for once for a grant and kept in memory while it lives. Nowhere else. */

import type { Instant } from '@tidegate/core'
import type { Release } from './contract.ts'
import type { LiveGrant } from './register.ts'

export type Logins = {
  readonly of: (grant: LiveGrant) => Asked
  /** Without asking anyone. */
  readonly asked: (grant: LiveGrant) => Asked | undefined
  readonly forget: (grant: string) => void
  /** Those that came of another edition than this. */
  readonly forgetOthers: (than: LiveGrant) => void
  /** Those of grants whose time is over. */
  readonly forgetOver: (now: Instant, grants: Iterable<LiveGrant>) => void
  readonly clear: () => void
}

export type Asked = {
  /** Rejects where nobody gives it; then the next one asks again. */
  readonly login: Promise<Release>
  /** Aborted when it is forgotten. */
  readonly over: AbortSignal
}

type Entry = Asked & { readonly edition: number; readonly forgotten: AbortController }

export function createLogins(release: (grant: string) => Promise<Release>): Logins {
  const known = new Map<string, Entry>()

  const forget = (grant: string): void => {
    known.get(grant)?.forgotten.abort()
    known.delete(grant)
  }
  const ask = ({ facts: { grant }, edition }: LiveGrant): Asked => {
    forget(grant)
    const forgotten = new AbortController()
    const entry: Entry = { edition, login: release(grant), over: forgotten.signal, forgotten }
    known.set(grant, entry)
    entry.login.catch(() => known.get(grant) === entry && forget(grant))
    return entry
  }
  const asked = ({ facts: { grant }, edition }: LiveGrant): Asked | undefined => {
    const found = known.get(grant)
    return found?.edition === edition ? found : undefined
  }
  return {
    of: (grant) => asked(grant) ?? ask(grant),
    asked,
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
