import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import type { Authentication } from '@tidegate/core'
import { earlier, formatInstant, principalKey } from '@tidegate/core'
import { actAs } from '../administration/standing.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { LoginRow } from '../identity/logins/logins.ts'
import { endLogins, overAt } from '../identity/logins/logins.ts'
import { invitationUrl, invite } from '../identity/local/invitations.ts'
import type { Caller } from '../identity/identity.ts'
import { findPrincipal } from '../identity/principals.ts'
import type { Unit } from '../store/change.ts'
import { boundInstant } from '../store/database.ts'
import type { Call, HandlersOf } from './handler.ts'
import { pageOf } from './pages.ts'

export const loginHandlers: HandlersOf<'listLogins' | 'endLogin' | 'inviteUser'> = {
  listLogins: { kind: 'plain', run: listLogins },
  endLogin: { kind: 'change', run: endLogin },
  inviteUser: { kind: 'change', run: inviteUser },
}

async function listLogins({ services, caller, input }: Call<'listLogins'>) {
  const { db, runtime, configurations } = services
  const { principal, open, limit, cursor } = input
  const now = runtime.now()
  const snapshot = await configurations.current(db)
  let query = db.selectFrom('login').selectAll()
  if (!caller.auditor) query = query.where('userId', '=', caller.principal.id)
  if (principal !== undefined) query = query.where('userId', '=', userOf(principal))
  if (open === 'true') query = query.where('endedAt', 'is', null).where('endsAt', '>', boundInstant(now))
  if (open === 'false')
    query = query.where((eb) => eb.or([eb('endedAt', 'is not', null), eb('endsAt', '<=', boundInstant(now))]))
  if (cursor !== undefined) query = query.where('id', '<', cursor)
  const rows = await query
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute()
  return pageOf(rows, limit, (row) => loginView(row, { caller, snapshot }))
}

/** Only people have logins: of anyone else there are none. */
const userOf = (principal: string): string => (principal.startsWith('user:') ? principal.slice('user:'.length) : '')

async function endLogin(
  { services, caller, input: { id } }: Call<'endLogin'>,
  unit: Unit,
): Promise<Output<'endLogin'>> {
  const snapshot = await services.configurations.current(unit.tx)
  const row = await unit.tx.selectFrom('login').selectAll().where('id', '=', id).executeTakeFirst()
  const own = row?.userId === caller.principal.id
  if (!row || (!own && !caller.auditor)) throw new ApiError('not-found')
  if (!own && !caller.administrator)
    throw new ApiError('forbidden', { detail: 'Its person and administrators end a login.' })
  if (!own) await actAs(unit, 'administrator', { caller, operation: 'endLogin' })
  const by = principalKey(caller.principal)
  await endLogins(unit, { ids: [id] }, { reason: own ? 'signed-out' : 'ended', by })
  const ended = await unit.tx.selectFrom('login').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  return loginView(ended, { caller, snapshot })
}

async function inviteUser(
  { services, caller, input: { user } }: Call<'inviteUser'>,
  unit: Unit,
): Promise<Output<'inviteUser'>> {
  const { configurations, findPrincipals, publicUrl } = services
  const snapshot = await configurations.current(unit.tx)
  if (!snapshot.declared.identity.local) throw new ApiError('no-local-accounts')
  const ref = { kind: 'user', id: user } as const
  if (!(await findPrincipal(findPrincipals, unit.tx, { snapshot, ref, now: unit.now })))
    throw new ApiError('not-found', { detail: `There is no active user ${user}.` })
  const { secret, endsAt } = await invite(unit, { user, by: principalKey(caller.principal) })
  return { user, url: invitationUrl(publicUrl(), secret), endsAt: formatInstant(endsAt) }
}

type Seen = { readonly caller: Caller; readonly snapshot: Snapshot }

const loginView = (row: LoginRow, { caller, snapshot }: Seen): Output<'endLogin'> => ({
  id: row.id,
  kind: row.kind,
  principal: `user:${row.userId}`,
  provider: row.provider,
  authentication: authenticationView(row.authentication as Authentication),
  startedAt: formatInstant(row.startedAt),
  lastUsedAt: formatInstant(row.lastUsedAt),
  endsAt: formatInstant(earlier(row.endsAt, overAt(row, snapshot.declared.identity))),
  address: row.clientAddress,
  current: row.id === caller.login,
  ...(row.clientAgent !== null && { agent: row.clientAgent }),
  ...(row.endedAt !== null && { endedAt: formatInstant(row.endedAt) }),
  ...(row.endReason !== null && { endReason: row.endReason }),
})

export const authenticationView = ({ at, ...rest }: Authentication): Output<'whoami'>['authentication'] => ({
  ...rest,
  ...(at > 0 && { at: formatInstant(at) }),
})
