/** Callers by an access token of their login, and a proof of the key that it is bound to. */

import type { Instant } from '@tidegate/core'
import { after } from '@tidegate/core'
import type { Caller, Identity } from '../identity.ts'
import { together } from '../../store/transaction.ts'
import { identityLimits } from '../limits.ts'
import type { LoginDeps } from '../logins/cookie-identity.ts'
import { callerOfLogin } from '../logins/cookie-identity.ts'
import { isBelieved, noteUse } from '../logins/logins.ts'
import { hashToken } from '../tokens.ts'
import { findAccessToken } from './access-tokens.ts'
import type { KeyProof, ProofDeps } from './key-proof.ts'
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
      const caller = proof && (await callerBy(deps, accessToken, { proof, now }))
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
  if (keyThumbprint === undefined) return undefined
  return callerBy(deps, token, { proof: { keyThumbprint }, now: deps.runtime.now() })
}

type Proved = {
  readonly now: Instant
  /** Without an id it was spent before. */
  readonly proof: Pick<KeyProof, 'keyThumbprint'> & Partial<KeyProof>
}

async function callerBy(deps: LoginDeps, token: string, { proof, now }: Proved): Promise<Caller | undefined> {
  const { db, configurations } = deps
  const [snapshot, found] = await together(db, (reader) =>
    Promise.all([configurations.current(reader), findAccessToken(reader, hashToken(token), now)]),
  )
  // Only of the right key: a proof of another's is not worth remembering.
  if (!found || found.key !== proof.keyThumbprint) return undefined
  const { key: _key, ...row } = found
  if (!isBelieved(row, { identity: snapshot.declared.identity, now })) return undefined
  const { id, keyThumbprint } = proof
  const [caller, isFirst] = await together(db, (reader) =>
    Promise.all([
      callerOfLogin(deps, reader, { row, snapshot, now }),
      id === undefined || spendProof(reader, { keyThumbprint, id }, now),
    ]),
  )
  if (!caller || !isFirst) return undefined
  if (now >= after(row.lastUsedAt, identityLimits.seenEvery)) await noteUse(db, row, now)
  return caller
}
