/**
 * RFC 7009: whoever holds a token says that it is no longer wanted. It takes no proof of a key: a token that someone else
 * came to is rather over than theirs.
 */

import type { Unit } from '../../store/change.ts'
import { change } from '../../store/change.ts'
import { endLogins, findLogin } from '../logins/logins.ts'
import { endMachineLogins } from '../machines/machine-logins.ts'
import { hashToken } from '../tokens.ts'
import { checkCommandLine } from './clients.ts'
import { OAuthError } from './errors.ts'
import { required } from './form.ts'
import type { OAuthDeps, TokenRequest } from './grant-type.ts'

export const revocationPath = '/oauth/revoke'

type Revoke = (deps: OAuthDeps, unit: Unit, hash: Buffer) => Promise<void>

/** By how a token begins. Hints of clients about it are not needed. */
const kinds: Readonly<Record<string, { readonly ofCommandLine: boolean; readonly revoke: Revoke }>> = {
  tdr: { ofCommandLine: true, revoke: endLogin },
  tda: { ofCommandLine: true, revoke: dropAccessToken },
  tdm: { ofCommandLine: false, revoke: endMachineLogin },
}

/** One that is unknown or over already is as it should be (section 2.2). @throws {OAuthError} */
export async function revokeToken(deps: OAuthDeps, asked: TokenRequest): Promise<void> {
  const token = required(asked.form, 'token')
  const [, prefix = ''] = /^(td[a-z])_[A-Za-z0-9_-]{43}$/.exec(token) ?? []
  const kind = Object.hasOwn(kinds, prefix) ? kinds[prefix] : undefined
  if (!kind) throw new OAuthError('unsupported_token_type', 'It is no token of a login.')
  if (kind.ofCommandLine) checkCommandLine(asked)
  await change(deps, (unit) => kind.revoke(deps, unit, hashToken(token)))
}

/** With all that was made from it. One that was given up a while ago is in two hands, which ends the login as well. */
async function endLogin({ configurations }: OAuthDeps, unit: Unit, hash: Buffer): Promise<void> {
  const { tx, now } = unit
  const { identity } = (await configurations.current(tx)).declared
  const found = await findLogin(tx, hash, { identity, now })
  if (found?.row.kind !== 'command-line') return
  const reason = found.held === 'stale' ? 'reused' : 'signed-out'
  await endLogins(unit, { ids: [found.row.id] }, { reason })
}

/** The login goes on: its refresh token is what stands for it. */
async function dropAccessToken(_deps: OAuthDeps, { tx }: Unit, hash: Buffer): Promise<void> {
  await tx.deleteFrom('accessToken').where('hash', '=', hash).execute()
}

async function endMachineLogin(_deps: OAuthDeps, unit: Unit, hash: Buffer): Promise<void> {
  const row = await unit.tx.selectFrom('machineLogin').select('id').where('tokenHash', '=', hash).executeTakeFirst()
  if (row) await endMachineLogins(unit, { ids: [row.id] }, { reason: 'done' })
}
