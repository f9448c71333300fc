import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import { formatInstant, principalKey } from '@tidegate/core'
import type { Selectable } from 'kysely'
import { actAs } from '../administration/standing.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Caller } from '../identity/identity.ts'
import { endMachineLogins } from '../identity/machines/machine-logins.ts'
import type { LinkRow } from '../identity/people/unlink.ts'
import { unlink } from '../identity/people/unlink.ts'
import { actingFor } from '../identity/principals.ts'
import type { Unit } from '../store/change.ts'
import type { Tables } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'
import { userSeenBy } from './access-rules.ts'
import type { Call, HandlersOf } from './handler.ts'
import { pageOf } from './pages.ts'

export const machineLoginHandlers: HandlersOf<
  'listMachineLogins' | 'endMachineLogin' | 'listLoginLinks' | 'removeLoginLink'
> = {
  listMachineLogins: { kind: 'plain', run: listMachineLogins },
  endMachineLogin: { kind: 'change', run: endMachineLogin },
  listLoginLinks: { kind: 'plain', run: listLinks },
  removeLoginLink: { kind: 'change', run: removeLink },
}

/** Itself, the services it owns, and the agents that act for one of these. */
function answeredForBy({ principal }: Caller, snapshot: Snapshot): string[] {
  const owned = snapshot.declared.services.filter(({ owner }) => principal.kind === 'user' && owner === principal.id)
  const keys = [principalKey(principal), ...owned.map(({ id }) => `service:${id}`)]
  return [...new Set(keys.flatMap((key) => actingFor(snapshot, key)))]
}

async function listMachineLogins({ services, caller, input }: Call<'listMachineLogins'>) {
  const { db, runtime, configurations } = services
  const { principal, open, limit, cursor } = input
  const now = boundInstant(runtime.now())
  let query = db.selectFrom('machineLogin').selectAll()
  if (!caller.auditor) query = query.where('principal', 'in', answeredForBy(caller, await configurations.current(db)))
  if (principal !== undefined) query = query.where('principal', '=', principal)
  if (open === 'true') query = query.where('endedAt', 'is', null).where('endsAt', '>', now)
  if (open === 'false') query = query.where((eb) => eb.or([eb('endedAt', 'is not', null), eb('endsAt', '<=', now)]))
  if (cursor !== undefined) query = query.where('id', '<', cursor)
  const rows = await query
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute()
  return pageOf(rows, limit, (row) => loginView(row, caller))
}

async function endMachineLogin(
  { services, caller, input: { id } }: Call<'endMachineLogin'>,
  unit: Unit,
): Promise<Output<'endMachineLogin'>> {
  const find = () => unit.tx.selectFrom('machineLogin').selectAll().where('id', '=', id).executeTakeFirst()
  const row = await find()
  const own = row && answeredForBy(caller, await services.configurations.current(unit.tx)).includes(row.principal)
  if (!row || (!own && !caller.auditor)) throw new ApiError('not-found')
  if (!own && !caller.administrator)
    throw new ApiError('forbidden', { detail: 'Who answers for it and administrators end a login.' })
  if (!own) await actAs(unit, 'administrator', { caller, operation: 'endMachineLogin' })
  const by = principalKey(caller.principal)
  await endMachineLogins(unit, { ids: [id] }, { reason: row.principal === by ? 'done' : 'ended', by })
  return loginView((await find()) ?? row, caller)
}

const loginView = (row: Selectable<Tables['machineLogin']>, { login }: Caller): Output<'endMachineLogin'> => ({
  id: row.id,
  principal: row.principal,
  by: row.proof.by,
  bound: row.keyThumbprint !== null,
  startedAt: formatInstant(row.startedAt),
  endsAt: formatInstant(row.endsAt),
  current: row.id === login,
  ...(row.proof.by === 'federation' && { subject: row.proof.subject }),
  ...(row.run !== null && { run: row.run }),
  ...(row.clientAddress !== null && { address: row.clientAddress }),
  ...(row.endedAt !== null && { endedAt: formatInstant(row.endedAt) }),
  ...(row.endReason !== null && { endReason: row.endReason }),
})

async function listLinks({ services, caller, input }: Call<'listLoginLinks'>): Promise<Output<'listLoginLinks'>> {
  const user = userSeenBy(caller, input.user)
  const rows = await services.db
    .selectFrom('loginLink')
    .selectAll()
    .where('userId', '=', user)
    .orderBy('provider')
    .execute()
  return { items: rows.map(linkView) }
}

async function removeLink(
  { caller, input: { provider, subject } }: Call<'removeLoginLink'>,
  unit: Unit,
): Promise<Output<'removeLoginLink'>> {
  const row = await unlink(unit, { provider, subject, by: principalKey(caller.principal) })
  if (!row)
    throw new ApiError('not-found', { detail: 'No sign-in of that name at that provider is one of our people.' })
  return linkView(row)
}

const linkView = ({ provider, subject, userId, linkedBy, linkedAt }: LinkRow): Output<'removeLoginLink'> => ({
  provider,
  subject,
  principal: `user:${userId}`,
  linkedBy,
  linkedAt: formatInstant(linkedAt),
})
