/** Callers by an access token of their login, and a proof of the key that it is bound to. */

import type { Instant } from '@tidegate/core'
import { after } from '@tidegate/core'
import type { Caller, Identity } from '../identity.ts'
import { identityLimits } from '../limits.ts'
import type { LoginDeps } from '../logins/cookie-identity.ts'
import { callerOfLogin } from '../logins/cookie-identity.ts'
import { isBelieved, noteUse } from '../logins/logins.ts'
import { hashToken } from '../tokens.ts'
import { findAccessToken } from './access-tokens.ts'
import type { ProofDeps } from './key-proof.ts'
import { readProof, spendProof } from './key-proof.ts'

const form = /^DPoP (tda_[A-Za-z0-9_-]{43})$/

export function createAccessIdentity(deps: LoginDeps & ProofDeps): Identity {
  return {
    async authenticate({ method, url, headers }) {
      const [, accessToken] = form.exec(headers.authorization ?? '') ?? []
      if (accessToken === undefined) return undefined
      const now = deps.runtime.now()
      const at = `${deps.publicUrl()}${url}`
      const proof = await readProof(headers['dpop'], { method, url: at, accessToken, now, key: deps.key })
      if (!proof) return undefined
      const token = await findAccessToken(deps.db, hashToken(accessToken), now)
      // Only of the right key: a proof of another's is not worth remembering.
      if (!token || token.login === null || token.keyThumbprint !== proof.keyThumbprint) return undefined
      if (!(await spendProof(deps.db, proof, now))) return undefined
      const caller = await callerOf(deps, token.login, now)
      return caller && { caller }
    },
  }
}

type Shown = { readonly token: string; readonly keyThumbprint: string | undefined }

/** @param keyThumbprint of the key that whoever shows it has just proved to hold */
export async function callerByAccessToken(
  deps: LoginDeps,
  { token, keyThumbprint }: Shown,
): Promise<Caller | undefined> {
  const now = deps.runtime.now()
  const row = await findAccessToken(deps.db, hashToken(token), now)
  if (!row || row.login === null || row.keyThumbprint === null || row.keyThumbprint !== keyThumbprint) return undefined
  return callerOf(deps, row.login, now)
}

async function callerOf(deps: LoginDeps, login: string, now: Instant): Promise<Caller | undefined> {
  const { db, configurations } = deps
  const snapshot = await configurations.current(db)
  const row = await db.selectFrom('login').selectAll().where('id', '=', login).executeTakeFirst()
  if (!row || !isBelieved(row, { identity: snapshot.declared.identity, now })) return undefined
  const caller = await callerOfLogin(deps, row, { snapshot, now })
  if (caller && now >= after(row.lastUsedAt, identityLimits.seenEvery)) await noteUse(db, row, now)
  return caller
}
