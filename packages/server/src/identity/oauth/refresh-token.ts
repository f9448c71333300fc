/**
 * A command line that was let in goes on (RFC 6749, section 6). What it holds changes with each use. The next one is made
 * from the one before, so that whoever lost the answer asks again and gets the same, and no chain ever forks: one that
 * comes later than that is in two hands, and ends the login.
 */

import { createHmac } from 'node:crypto'
import type { LoginId } from '@tidegate/core'
import type { MasterKey, OneKey } from '../../secrets/keys.ts'
import { derived } from '../../secrets/keys.ts'
import type { Unit } from '../../store/change.ts'
import { change } from '../../store/change.ts'
import type { Tx } from '../../store/database.ts'
import type { LoginRow } from '../logins/logins.ts'
import { endLogins, findLogin, rotate } from '../logins/logins.ts'
import { findPrincipal } from '../principals.ts'
import { hashToken } from '../tokens.ts'
import { issueAccessToken } from './access-tokens.ts'
import { checkCommandLine, checkKey } from './clients.ts'
import { OAuthError } from './errors.ts'
import { required } from './form.ts'
import type { GrantType, OAuthDeps, TokenAnswer } from './grant-type.ts'

type Presented = { readonly secret: string; readonly keyThumbprint: string }

export const refreshToken: GrantType = async (deps, asked) => {
  checkCommandLine(asked)
  const presented = { secret: required(asked.form, 'refresh_token'), keyThumbprint: checkKey(asked) }
  // Returned rather than thrown: that a login ended by this has to be kept.
  const answer = await change(deps, (unit) => refresh(deps, unit, presented))
  if (!answer) throw new OAuthError('invalid_grant', 'The login is over, or this is not its key.')
  return answer
}

async function refresh(
  { configurations, findPrincipals, key }: OAuthDeps,
  unit: Unit,
  { secret, keyThumbprint }: Presented,
): Promise<TokenAnswer | undefined> {
  const { tx, now } = unit
  const snapshot = await configurations.current(tx)
  const found = await findLogin(tx, hashToken(secret), { identity: snapshot.declared.identity, now })
  // Of a key that is not its own nothing is learnt, and nothing happens: it is no proof that the secret was stolen.
  if (!found || found.row.kind !== 'command-line' || found.row.keyThumbprint !== keyThumbprint) return undefined
  const { row, held } = found
  if (held === 'stale') return endReused(unit, row)
  const ref = { kind: 'user', id: row.userId } as const
  if (!(await findPrincipal(findPrincipals, tx, { snapshot, ref, now }))) return undefined
  const next = held === 'now' ? await goOn(tx, key, { row, secret, now }) : madeBefore(key, secret, row.secretHash)
  if (next === undefined) return undefined
  const access = await issueAccessToken(unit, { user: row.userId, login: row.id as LoginId, keyThumbprint })
  return { ...access, refresh_token: next }
}

/** Of two that ask at once the second finds done what it came for, unless the login has ended. */
async function goOn(
  tx: Tx,
  key: MasterKey,
  { row, secret, now }: Parameters<typeof rotate>[1],
): Promise<string | undefined> {
  const next = successor(key.sealing(), secret)
  if (await rotate(tx, { row, secret: next, now })) return next
  const done = await tx
    .selectFrom('login')
    .select('secretHash')
    .where('id', '=', row.id)
    .where('endedAt', 'is', null)
    .executeTakeFirst()
  return done && madeBefore(key, secret, done.secretHash)
}

/** What was given for it before, perhaps by a server that sealed with another key of ours. */
const madeBefore = ({ keys }: MasterKey, secret: string, hash: Buffer): string | undefined =>
  keys.map((key) => successor(key, secret)).find((next) => hashToken(next).equals(hash))

async function endReused(unit: Unit, { id }: LoginRow): Promise<undefined> {
  await endLogins(unit, { ids: [id] }, { reason: 'reused' })
  return undefined
}

/** Nobody computes it who has not the server's key. */
const successor = (key: OneKey, secret: string): string =>
  `tdr_${createHmac('sha256', derived(key, 'refresh tokens')).update(secret).digest('base64url')}`
