import { ApiError } from '@tidegate/api'
import { administrationResource, parseDuration, principalKey } from '@tidegate/core'
import type { Millis } from '@tidegate/core'
import { actAs } from '../administration/standing.ts'
import { activateGrant, assumeGrant } from '../lifecycle/activate-grant.ts'
import { endGrant } from '../lifecycle/end-grant.ts'
import { extendGrant } from '../lifecycle/extend-grant.ts'
import { tellTarget } from '../lifecycle/move-end.ts'
import type { Unit } from '../store/change.ts'
import type { Reader } from '../store/database.ts'
import type { StoredGrant } from '../store/grants.ts'
import { findGrant, grantFromRow } from '../store/grants.ts'
import { isSelf, ownedResources, ownsResource } from './access-rules.ts'
import type { Caller } from '../identity/identity.ts'
import type { Call, HandlersOf, Services } from './handler.ts'
import { pageOf } from './pages.ts'
import { credentialView, grantView, requestView } from './views.ts'

export const grantHandlers: HandlersOf<
  'listGrants' | 'getGrant' | 'activateGrant' | 'assumeGrant' | 'extendGrant' | 'endGrant' | 'revokeGrant'
> = {
  listGrants: { kind: 'plain', run: listGrants },
  getGrant: {
    kind: 'plain',
    run: async ({ services, caller, input }) =>
      grantView(await visibleGrant(services, services.db, { caller, id: input.id })),
  },
  activateGrant: {
    kind: 'plain',
    async run({ services, caller, input }) {
      const { grant, credential } = await activateGrant(services, { caller, id: input.id })
      return { grant: grantView(grant), credential: credentialView(credential) }
    },
  },
  assumeGrant: {
    kind: 'plain',
    run: async ({ services, caller, input }) => grantView(await assumeGrant(services, { caller, id: input.id })),
  },
  extendGrant: {
    kind: 'change',
    async run({ services, caller, input: { id, duration, reason, ticket, task } }, unit) {
      const said = { reason, ...(ticket !== undefined && { ticket }), ...(task !== undefined && { task }) }
      const extending = { caller, id, duration: parseDuration(duration) as Millis, ...said }
      const { filed, grant } = await extendGrant(services, unit, extending)
      return { request: requestView({ ...filed, approvals: [] }), grant: grantView(grant) }
    },
    // Only then is it told that it may stay. A key that is sent again has it told again.
    async after({ services }, output) {
      if (output.request.status !== 'approved') return output
      return { ...output, targetKnows: await tellTarget(services, output.grant.id) }
    },
  },
  endGrant: {
    kind: 'change',
    async run({ caller, input: { id, because, note } }, unit) {
      const grant = await findGrant(unit.tx, id)
      if (!grant || !isSelf(caller.principal, grant.principal)) throw new ApiError('not-found')
      return ended(unit, { grant, reason: because, by: principalKey(caller.principal), note })
    },
  },
  revokeGrant: {
    kind: 'change',
    async run({ services, caller, input }, unit) {
      // On the change's own connection: whoever waits for a second one while holding a first can wait for ever.
      const grant = await visibleGrant(services, unit.tx, { caller, id: input.id })
      const snapshot = await services.configurations.current(unit.tx)
      // Tidegate itself is owned by standing power, which is told.
      const isTidegate = grant.resource === administrationResource
      if (isTidegate || !ownsResource(caller, snapshot.resources.get(grant.resource))) {
        if (!caller.administrator)
          throw new ApiError('forbidden', {
            detail: 'Administrators and owners of the resource revoke; `done` ends one’s own grant.',
          })
        await actAs(unit, 'administrator', { caller, operation: 'revokeGrant' })
      }
      return ended(unit, { grant, reason: 'revoked', by: principalKey(caller.principal), note: input.reason })
    },
  },
}

type Ending = { grant: StoredGrant; reason: 'done' | 'task-ended' | 'revoked'; by: string; note: string | undefined }

async function ended(unit: Unit, { grant, reason, by, note }: Ending): Promise<ReturnType<typeof grantView>> {
  const end = { reason, at: unit.now, by, ...(note !== undefined && { note }) }
  return grantView((await endGrant(unit, { id: grant.id, end })) ?? grant)
}

/** @throws {ApiError} `not-found` also for what the caller may not see */
async function visibleGrant(
  { configurations }: Services,
  reader: Reader,
  { caller, id }: { caller: Caller; id: string },
): Promise<StoredGrant> {
  const grant = await findGrant(reader, id)
  if (!grant) throw new ApiError('not-found')
  if (caller.auditor || isSelf(caller.principal, grant.principal)) return grant
  const snapshot = await configurations.current(reader)
  if (ownsResource(caller, snapshot.resources.get(grant.resource))) return grant
  throw new ApiError('not-found')
}

async function listGrants({ services, caller, input }: Call<'listGrants'>) {
  const { state, open, principal, role, resource, limit, cursor } = input
  let query = services.db.selectFrom('accessGrant').selectAll()
  if (state !== undefined) query = query.where('state', '=', state)
  if (open === 'true') query = query.where('state', '<>', 'ended')
  if (open === 'false') query = query.where('state', '=', 'ended')
  if (principal !== undefined) query = query.where('principal', '=', principal)
  if (resource !== undefined) query = query.where('resource', '=', resource)
  if (role !== undefined) {
    const [ofResource = '', name = ''] = role.split('/')
    query = query.where('resource', '=', ofResource).where('role', '=', name)
  }
  if (cursor !== undefined) query = query.where('id', '<', cursor)
  if (!caller.auditor) {
    const owned = ownedResources(caller, await services.configurations.current(services.db))
    const self = principalKey(caller.principal)
    query = query.where((eb) =>
      owned.length > 0 ? eb.or([eb('principal', '=', self), eb('resource', 'in', owned)]) : eb('principal', '=', self),
    )
  }
  const rows = await query
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute()
  return pageOf(rows, limit, (row) => grantView(grantFromRow(row)))
}
