/** Services and agents that proved who they are, by what they were given for it. */

import type { Authentication } from '@tidegate/core'
import { earlier, parsePrincipalKey } from '@tidegate/core'
import { together } from '../../store/transaction.ts'
import { callerOf } from '../caller.ts'
import type { Caller, Identity, Presented } from '../identity.ts'
import type { LoginDeps } from '../logins/cookie-identity.ts'
import type { ProofDeps } from '../oauth/key-proof.ts'
import { readProof, spendProof } from '../oauth/key-proof.ts'
import { hashToken } from '../tokens.ts'
import { stillHolds } from './proof.ts'

const form = /^(Bearer|DPoP) (tdm_[A-Za-z0-9_-]{43})$/

export function createMachineIdentity(deps: LoginDeps & ProofDeps): Identity {
  return {
    async authenticate(presented) {
      const [, scheme, token] = form.exec(presented.headers.authorization ?? '') ?? []
      if (token === undefined) return undefined
      const caller =
        scheme === 'Bearer' ? await callerByMachineToken(deps, { token }) : await callerWithKey(deps, presented, token)
      return caller && { caller }
    },
  }
}

async function callerWithKey(
  deps: LoginDeps & ProofDeps,
  { method, url, headers }: Presented,
  token: string,
): Promise<Caller | undefined> {
  const now = deps.runtime.now()
  const at = { method, url: `${deps.publicUrl()}${url}`, accessToken: token, now, key: deps.key }
  const proof = await readProof(headers['dpop'], at)
  if (!proof) return undefined
  const caller = await callerByMachineToken(deps, { token, keyThumbprint: proof.keyThumbprint })
  return caller && (await spendProof(deps.db, proof, now)) ? caller : undefined
}

type Shown = {
  readonly token: string
  /** Of the key that whoever shows it has just proved to hold. Absent: none. */
  readonly keyThumbprint?: string | undefined
}

/** What is bound to a key counts with that key alone, and what is bound to none without one. */
export async function callerByMachineToken(
  { db, runtime, configurations, findPrincipals }: LoginDeps,
  { token, keyThumbprint }: Shown,
): Promise<Caller | undefined> {
  const [snapshot, row] = await together(db, (reader) =>
    Promise.all([
      configurations.current(reader),
      reader
        .selectFrom('machineLogin')
        .selectAll()
        .where('tokenHash', '=', hashToken(token))
        .where('endedAt', 'is', null)
        .executeTakeFirst(),
    ]),
  )
  const now = runtime.now()
  if (!row || now >= row.endsAt || row.keyThumbprint !== (keyThumbprint ?? null)) return undefined
  const ref = parsePrincipalKey(row.principal)
  if (!ref) return undefined
  const said: Authentication = row.authentication
  // This server's clock may be behind that of the one that took the proof.
  const authentication = { ...said, at: earlier(said.at, now) }
  const proof = { authentication, expiresAt: row.endsAt, login: row.id }
  const [holds, caller] = await together(db, (reader) =>
    Promise.all([
      stillHolds(reader, { ...row, snapshot, now }),
      callerOf(findPrincipals, reader, { ref, snapshot, now, proof }),
    ]),
  )
  return holds ? caller : undefined
}
