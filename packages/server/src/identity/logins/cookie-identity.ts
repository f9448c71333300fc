/**
 * Callers by cookie. A browser sends it along whoever asked for the request, so it counts only where our own page did:
 * by a header that no form and no other origin can send, and by what the browser itself says of where it comes from.
 */

import type { Authentication, Instant, Millis } from '@tidegate/core'
import { after, earlier } from '@tidegate/core'
import type { Configurations } from '../../configuration/configurations.ts'
import type { Snapshot } from '../../configuration/snapshot.ts'
import type { Runtime } from '../../runtime.ts'
import { change } from '../../store/change.ts'
import type { Database, Reader } from '../../store/database.ts'
import { together } from '../../store/transaction.ts'
import { callerOf } from '../caller.ts'
import type { Caller, Identity, Presented } from '../identity.ts'
import { identityLimits } from '../limits.ts'
import type { FindPrincipals } from '../principals.ts'
import { hashToken } from '../tokens.ts'
import { cookieOf, readCookie } from './cookie.ts'
import type { LoginRow } from './logins.ts'
import { endLogins, foundBy, loginOfSecret, makeSecret, noteUse, overAt, rotate } from './logins.ts'
import { isFromOwnPage } from './own-page.ts'
import { anyoneSignsIn } from './sources.ts'

export type LoginDeps = {
  readonly db: Database
  readonly runtime: Runtime
  readonly configurations: Configurations
  readonly findPrincipals: FindPrincipals
  /** Where people reach this server, such as `https://tidegate.example.com`. */
  readonly publicUrl: () => string
}

/** A form cannot set it, and a script of another origin only after asking, which is not answered. */
export const ownHeader = 'x-tidegate-request'

export function createCookieIdentity(deps: LoginDeps): Identity {
  return {
    async authenticate(presented) {
      const { headers } = presented
      if (headers.authorization !== undefined || headers[ownHeader] === undefined) return undefined
      if (!isFromOwnPage(presented, deps.publicUrl())) return undefined
      return callerByCookie(deps, presented)
    },
  }
}

/** For our own pages too, which are navigated to. @throws nothing for what is not known: there is nobody then */
export async function callerByCookie(
  deps: LoginDeps,
  { headers }: Presented,
): Promise<{ readonly caller: Caller; readonly setCookie?: string } | undefined> {
  const secret = readCookie(headers.cookie, 'login')
  if (secret === undefined || !/^tds_[A-Za-z0-9_-]{43}$/.test(secret)) return undefined
  const { db, configurations, runtime } = deps
  const now = runtime.now()
  const hash = hashToken(secret)
  const [snapshot, row] = await together(db, (reader) =>
    Promise.all([configurations.current(reader), loginOfSecret(reader, hash)]),
  )
  const { identity } = snapshot.declared
  if (!anyoneSignsIn(identity)) return undefined
  const found = foundBy(row, hash, { identity, now })
  if (!found || found.row.kind !== 'browser') return undefined
  if (found.held === 'stale') {
    await change(deps, (unit) => endLogins(unit, { ids: [found.row.id] }, { reason: 'reused' }))
    return undefined
  }
  const caller = await together(db, (reader) => callerOfLogin(deps, reader, { row: found.row, snapshot, now }))
  if (!caller || found.held === 'before') return caller && { caller }
  const setCookie = await keepUp(deps, found.row, { snapshot, now })
  return { caller, ...(setCookie !== undefined && { setCookie }) }
}

type Now = { readonly snapshot: Snapshot; readonly now: Instant }

export async function callerOfLogin(
  { findPrincipals }: LoginDeps,
  reader: Reader,
  { row, snapshot, now }: Now & { readonly row: LoginRow },
): Promise<Caller | undefined> {
  const ref = { kind: 'user', id: row.userId } as const
  const said = row.authentication as Authentication
  // A provider's clock may be ahead of ours, and of this server's.
  const authentication = { ...said, at: earlier(said.at, now) }
  const proof = { authentication, expiresAt: overAt(row, snapshot.declared.identity), login: row.id }
  return callerOf(findPrincipals, reader, { ref, snapshot, now, proof })
}

/** Writes down that it is used, now and then, and gives it another secret, now and then. */
async function keepUp({ db, runtime }: LoginDeps, row: LoginRow, { snapshot, now }: Now): Promise<string | undefined> {
  if (now >= after(row.rotatedAt, identityLimits.rotateEvery)) {
    const secret = makeSecret('browser', runtime.random)
    if (await rotate(db, { row, secret, now })) return cookieOf('login', secret, left(row, snapshot, now))
    return undefined
  }
  if (now >= after(row.lastUsedAt, identityLimits.seenEvery)) await noteUse(db, row, now)
  return undefined
}

const left = (row: LoginRow, { declared }: Snapshot, now: Instant): Millis =>
  (earlier(row.endsAt, after(row.startedAt, declared.identity.sessions.longest)) - now) as Millis
