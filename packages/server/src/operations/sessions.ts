import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import { formatInstant, parsePrincipalKey, principalKey, roleKey } from '@tidegate/core'
import type { GrantId } from '@tidegate/core'
import type { KnownSession } from '../gateways/reports.ts'
import { actAs } from '../administration/standing.ts'
import type { Caller } from '../identity/identity.ts'
import type { Unit } from '../store/change.ts'
import type { Reader } from '../store/database.ts'
import { instantParam } from '../store/database.ts'
import type { SessionRow } from '../store/sessions.ts'
import { selectSessions, sessionFromRow } from '../store/sessions.ts'
import { isSelf, ownedResources, ownsResource } from './access-rules.ts'
import type { Call, HandlersOf, Services } from './handler.ts'
import { pageOf } from './pages.ts'

export const sessionHandlers: HandlersOf<'listSessions' | 'getSession' | 'killSession'> = {
  listSessions: { kind: 'plain', run: listSessions },
  getSession: {
    kind: 'plain',
    run: async ({ services, caller, input }) =>
      sessionView((await visibleSession(services, services.db, { caller, id: input.id })).row),
  },
  killSession: { kind: 'change', run: killSession },
}

async function listSessions({ services, caller, input }: Call<'listSessions'>) {
  const { grant, principal, resource, open, limit, cursor } = input
  let query = selectSessions(services.db)
  if (grant !== undefined) query = query.where('accessSession.grantId', '=', grant)
  if (principal !== undefined) query = query.where('accessGrant.principal', '=', principal)
  if (resource !== undefined) query = query.where('accessGrant.resource', '=', resource)
  if (open === 'true') query = query.where('accessSession.endedAt', 'is', null)
  if (open === 'false') query = query.where('accessSession.endedAt', 'is not', null)
  if (cursor !== undefined) query = query.where('accessSession.id', '<', cursor)
  if (!caller.auditor) {
    const owned = ownedResources(caller, await services.configurations.current(services.db))
    const self = principalKey(caller.principal)
    query = query.where((eb) => {
      const own = eb('accessGrant.principal', '=', self)
      return owned.length > 0 ? eb.or([own, eb('accessGrant.resource', 'in', owned)]) : own
    })
  }
  const rows = await query
    .orderBy('accessSession.id', 'desc')
    .limit(limit + 1)
    .execute()
  return pageOf(rows, limit, sessionView)
}

/** @property mayKill absent: only see it */
type Visible = { readonly row: SessionRow; readonly mayKill: 'as-theirs' | 'as-administrator' | undefined }

/** @throws {ApiError} `not-found` also for what the caller may not see */
async function visibleSession(
  { configurations }: Services,
  reader: Reader,
  { caller, id }: { caller: Caller; id: string },
): Promise<Visible> {
  const row = await selectSessions(reader).where('accessSession.id', '=', id).executeTakeFirst()
  const holder = row && parsePrincipalKey(row.principal)
  if (!row || !holder) throw new ApiError('not-found')
  const snapshot = await configurations.current(reader)
  const owns = isSelf(caller.principal, holder) || ownsResource(caller, snapshot.resources.get(row.resource))
  if (!owns && !caller.auditor) throw new ApiError('not-found')
  return { row, mayKill: owns ? 'as-theirs' : caller.administrator ? 'as-administrator' : undefined }
}

async function killSession(
  { services, caller, input: { id, reason } }: Call<'killSession'>,
  unit: Unit,
): Promise<Output<'killSession'>> {
  const { row, mayKill } = await visibleSession(services, unit.tx, { caller, id })
  if (mayKill === 'as-administrator') await actAs(unit, 'administrator', { caller, operation: 'killSession' })
  if (mayKill === undefined) {
    throw new ApiError('forbidden', {
      detail: 'Its holder, administrators and owners of the resource end a session.',
    })
  }
  const by = principalKey(caller.principal)
  // Its gateway says it again, as why the session ended. The entry has the whole note.
  const killReason = `the session was ended by ${by}${reason === undefined ? '' : `: ${reason}`}`.slice(0, 500)
  const asked = await unit.tx
    .updateTable('accessSession')
    .set({ killAskedAt: instantParam(unit.now), killReason })
    .where('id', '=', id)
    .where('endedAt', 'is', null)
    .where('killAskedAt', 'is', null)
    .returning('id')
    .executeTakeFirst()
  // It is over, or someone has asked already: there is nothing more to say.
  if (!asked) return sessionView(row)
  const fields = { session: id, gateway: row.gateway, principal: row.principal, by, note: reason }
  unit.record({ type: 'session.killed', at: unit.now, grant: row.grantId as GrantId, fields })
  unit.hint({ to: 'gateways', about: id })
  return sessionView(row)
}

export function sessionView(row: SessionRow): Output<'getSession'> {
  const { id, grant, gateway, database, client, startedAt, head, end, deletion } = sessionFromRow(row)
  return {
    id,
    grant: grant.id,
    principal: grant.principal,
    role: roleKey({ resource: grant.resource, name: grant.role }),
    gateway,
    database,
    client,
    startedAt: formatInstant(startedAt),
    ...(head && { head }),
    ...(end && { endedAt: formatInstant(end.at), endReason: end.reason }),
    ...(end?.lost && { lost: true }),
    ...(end?.told && { statements: end.told.statements, refused: end.told.refused }),
    ...(end?.told?.used && { used: end.told.used }),
    ...(deletion && { deletion: deletionView(deletion) }),
  }
}

const deletionView = ({ askedAt, by, reason, done }: NonNullable<KnownSession['deletion']>) => ({
  askedAt: formatInstant(askedAt),
  by,
  reason,
  ...(done && { at: formatInstant(done.at), digest: done.digest }),
})
