import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import type { Millis } from '@tidegate/core'
import { formatInstant, parseDuration, principalKey } from '@tidegate/core'
import type { DeclaredService } from '../configuration/schema.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Caller } from '../identity/identity.ts'
import { endMachineLogins } from '../identity/machines/machine-logins.ts'
import { actingFor } from '../identity/principals.ts'
import type { SecretRow } from '../identity/services/secrets.ts'
import { makeSecret, revokeSecret } from '../identity/services/secrets.ts'
import { endGrantsOfRun } from '../lifecycle/runs.ts'
import type { Unit } from '../store/change.ts'
import type { Call, HandlersOf } from './handler.ts'
import { pageOf } from './pages.ts'

export const serviceHandlers: HandlersOf<
  'createServiceSecret' | 'listServiceSecrets' | 'revokeServiceSecret' | 'endRun'
> = {
  createServiceSecret: {
    kind: 'change',
    async run({ services, caller, input: { service: id, lasts } }, unit) {
      const service = seenBy(caller, await services.configurations.current(unit.tx), id)
      checkAnswersFor(caller, service)
      const by = principalKey(caller.principal)
      const { row, secret } = await makeSecret(unit, { service, lasts: parseDuration(lasts) as Millis, by })
      return { secret, about: secretView(row) }
    },
  },
  listServiceSecrets: { kind: 'plain', run: listSecrets },
  revokeServiceSecret: { kind: 'change', run: revoke },
  endRun: { kind: 'change', run: endRun },
}

const ownsService = ({ principal }: Caller, { owner }: Pick<DeclaredService, 'owner'>): boolean =>
  principal.kind === 'user' && owner === principal.id

/** @throws {ApiError} `not-found` also for what the caller may not see */
function seenBy(caller: Caller, { declared }: Snapshot, id: string): DeclaredService {
  const service = declared.services.find((one) => one.id === id)
  if (!service || !(caller.auditor || ownsService(caller, service))) throw new ApiError('not-found')
  return service
}

function checkAnswersFor(caller: Caller, service: DeclaredService): void {
  if (caller.administrator || ownsService(caller, service)) return
  throw new ApiError('forbidden', { detail: 'Administrators and the owner of the service do this.' })
}

async function listSecrets({
  services: { db, configurations },
  caller,
  input: { service, limit, cursor },
}: Call<'listServiceSecrets'>) {
  const { id } = seenBy(caller, await configurations.current(db), service)
  let query = db.selectFrom('serviceSecret').selectAll().where('service', '=', id)
  if (cursor !== undefined) query = query.where('id', '<', cursor)
  const rows = await query
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute()
  return pageOf(rows, limit, secretView)
}

/** Also of a service that configuration has no more, by administrators. */
async function revoke(
  { services, caller, input: { id } }: Call<'revokeServiceSecret'>,
  unit: Unit,
): Promise<Output<'revokeServiceSecret'>> {
  const find = () => unit.tx.selectFrom('serviceSecret').selectAll().where('id', '=', id).executeTakeFirst()
  const row = await find()
  if (!row) throw new ApiError('not-found')
  if (!caller.administrator) {
    const snapshot = await services.configurations.current(unit.tx)
    checkAnswersFor(caller, seenBy(caller, snapshot, row.service))
  }
  await revokeSecret(unit, { row, by: principalKey(caller.principal) })
  return secretView((await find()) ?? row)
}

const secretView = (row: SecretRow): Output<'revokeServiceSecret'> => ({
  id: row.id,
  service: row.service,
  madeAt: formatInstant(row.madeAt),
  madeBy: row.madeBy,
  expiresAt: formatInstant(row.expiresAt),
  ...(row.lastUsedAt !== null && { lastUsedAt: formatInstant(row.lastUsedAt) }),
  ...(row.revokedAt !== null && { revokedAt: formatInstant(row.revokedAt) }),
})

/** Of this service, and of the agents that act for it: another that has the same run says so itself. */
async function endRun({ services, caller }: Call<'endRun'>, unit: Unit): Promise<Output<'endRun'>> {
  const { run } = caller.authentication
  if (run === undefined || caller.principal.kind !== 'service')
    throw new ApiError('not-found', { detail: 'The caller is no service that is bound to a run.' })
  const by = principalKey(caller.principal)
  const principals = actingFor(await services.configurations.current(unit.tx), by)
  const logins = await endMachineLogins(unit, { principals, run }, { reason: 'done', by })
  const grants = await endGrantsOfRun(unit, { run, principals, by })
  const fields = { run, logins: logins.length, grants, principal: by }
  unit.record({ type: 'run.ended', at: unit.now, fields })
  return { run, loginsEnded: logins.length, grantsEnded: grants }
}
