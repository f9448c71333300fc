import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import { formatInstant, grantCommands, principalKey, roleKey } from '@tidegate/core'
import type { Instant } from '@tidegate/core'
import { gatewaysOf } from '../gateways/gateways.ts'
import { editionOf, rulesOfGrant } from '../gateways/grant-rules.ts'
import type { Told } from '../gateways/feed-memory.ts'
import { enrolGateway, inviteGateway, removeGateway } from '../gateways/invitations.ts'
import type { GatewayRow } from '../gateways/invitations.ts'
import { gatewayServerLimits } from '../gateways/limits.ts'
import { signIn, signOff } from '../gateways/sign-in.ts'
import { takeReports } from '../gateways/take-reports.ts'
import type { Address } from '../gateways/way-in.ts'
import { isConnected, unseal } from '../gateways/way-in.ts'
import type { GatewayCaller } from '../identity/identity.ts'
import type { Unit } from '../store/change.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import { grantFromRow } from '../store/grants.ts'
import type { Call, HandlersOf, Services } from './handler.ts'
import { pageOf } from './pages.ts'

export const gatewayHandlers: HandlersOf<
  | 'createGateway'
  | 'listGateways'
  | 'removeGateway'
  | 'enrolGateway'
  | 'issueGatewayToken'
  | 'signOffGateway'
  | 'syncGateway'
  | 'releaseLogin'
  | 'reportSessions'
> = {
  createGateway: {
    kind: 'change',
    async run({ services, caller, input: { id, resources } }, unit) {
      await checkResources(services, unit, resources ?? [])
      const by = principalKey(caller.principal)
      const { row, enrolmentToken, expiresAt } = await inviteGateway(unit, { id, resources, by })
      return { gateway: gatewayView(row, unit.now), enrolmentToken, expiresAt: formatInstant(expiresAt) }
    },
  },
  listGateways: {
    kind: 'plain',
    async run({ services: { db, runtime }, input: { limit, cursor } }) {
      let query = db.selectFrom('gateway').selectAll()
      if (cursor !== undefined) query = query.where('id', '>', cursor)
      const rows = await query
        .orderBy('id')
        .limit(limit + 1)
        .execute()
      return pageOf(rows, limit, (row) => gatewayView(row, runtime.now()))
    },
  },
  removeGateway: {
    kind: 'change',
    run: async ({ caller, input }, unit) =>
      gatewayView(await removeGateway(unit, { id: input.id, by: principalKey(caller.principal) }), unit.now),
  },
  enrolGateway: {
    kind: 'change',
    run: async ({ input }, unit) => ({ gateway: await enrolGateway(unit, input) }),
  },
  issueGatewayToken: {
    kind: 'change',
    async run({ input }, unit) {
      const { token, expiresAt } = await signIn(unit, input)
      return { token, expiresAt: formatInstant(expiresAt) }
    },
  },
  signOffGateway: {
    kind: 'change',
    async run({ caller }, unit) {
      await signOff(unit, caller.gateway)
      return {}
    },
  },
  syncGateway: { kind: 'plain', run: sync, follow },
  releaseLogin: { kind: 'change', run: releaseLogin },
  reportSessions: {
    kind: 'change',
    run: async ({ caller, input }, unit) => ({ refused: await takeReports(unit, caller.gateway, input.reports) }),
  },
}

/** A name that is not there is a slip, and a gateway that serves nothing by it would look well. */
async function checkResources({ configurations }: Services, { tx }: Unit, names: readonly string[]): Promise<void> {
  const { resources } = await configurations.current(tx)
  const problems = names.flatMap((name, index) =>
    resources.has(name) ? [] : [{ field: `resources[${index}]`, message: `There is no resource ${name}.` }],
  )
  if (problems.length > 0) throw new ApiError('invalid-input', { problems })
}

function gatewayView(row: GatewayRow, now: Instant): Output<'removeGateway'> {
  const { id, resources, address, invitedAt, enrolledAt, lastSeenAt, removedAt } = row
  const state = removedAt !== null ? 'removed' : enrolledAt !== null ? 'enrolled' : 'invited'
  return {
    id,
    state,
    invitedAt: formatInstant(invitedAt),
    connected: isConnected(row, now),
    ...(resources !== null && { resources }),
    ...(address !== null && { address: address as Address }),
    ...(enrolledAt !== null && { enrolledAt: formatInstant(enrolledAt) }),
    ...(lastSeenAt !== null && { lastSeenAt: formatInstant(lastSeenAt) }),
  }
}

async function sync({ services, caller, input: { cursor, waitMs, followMs, about, worker } }: Call<'syncGateway'>) {
  const { gateway } = caller
  const { db, feed } = gatewaysOf(services)
  const asked = { gateway, worker, cursor, waitMs, followed: followMs !== undefined, ...(about && { about }) }
  const [told] = await Promise.all([feed.sync(asked), markSeen({ db, runtime: services.runtime }, caller)])
  return newsOf(services, told)
}

type News = Output<'syncGateway'>

/** Where one grant changes, others are about to. */
function follow({ services, caller, input }: Call<'syncGateway'>, first: News): AsyncIterable<News> | undefined {
  const { cursor, whole, grants, ended } = first
  const tellsOfGrants = whole || grants.length > 0 || ended.length > 0
  if (input.followMs === undefined || !tellsOfGrants) return undefined
  const { gateway } = caller
  return newsOfEach(
    services,
    gatewaysOf(services).feed.follow({ gateway, worker: input.worker }, cursor, input.followMs),
  )
}

async function* newsOfEach(services: Services, answers: AsyncIterable<Told>): AsyncGenerator<News> {
  for await (const told of answers) yield newsOf(services, told)
}

/** What ends is told without asking the store for anything: whoever is to lose access does not wait for it. */
async function newsOf(services: Services, told: Told): Promise<News> {
  const grants = told.grants.length === 0 ? [] : await withWarning(services, told.grants)
  return { ...told, grants, now: formatInstant(services.runtime.now()) }
}

async function withWarning(services: Services, grants: Told['grants']): Promise<Output<'syncGateway'>['grants']> {
  const { warnBefore } = (await services.configurations.current(gatewaysOf(services).db)).declared.settings
  return grants.map((grant) => ({ ...grant, warnBeforeSeconds: warnBefore / 1_000 }))
}

async function markSeen(
  { db, runtime }: Pick<Services, 'db' | 'runtime'>,
  { gateway, lastSeenAt }: GatewayCaller,
): Promise<void> {
  const now = runtime.now()
  if (lastSeenAt !== undefined && now - lastSeenAt < gatewayServerLimits.seenEvery) return
  await db
    .updateTable('gateway')
    .set({ lastSeenAt: instantParam(now) })
    .where('id', '=', gateway.id)
    .where('enrolledAt', '=', boundInstant(gateway.enrolledAt))
    .execute()
}

async function releaseLogin(
  { services, caller: { gateway }, input: { id } }: Call<'releaseLogin'>,
  unit: Unit,
): Promise<Output<'releaseLogin'>> {
  const { key } = gatewaysOf(services)
  const row = await unit.tx.selectFrom('accessGrant').selectAll().where('id', '=', id).executeTakeFirst()
  const serves = row && row.openedAt !== null && (gateway.resources?.includes(row.resource) ?? true)
  if (!serves) throw new ApiError('not-found')
  const grant = grantFromRow(row)
  const rules = rulesOfGrant(await services.configurations.current(unit.tx), grant)
  if (!grantCommands.givesAccess(grant, unit.now) || !rules) throw new ApiError('grant-ended')
  // Its holder goes to the target without us.
  if (row.loginSealed === null) throw new ApiError('not-found')
  unit.record({
    type: 'grant.login-released',
    at: unit.now,
    grant: grant.id,
    fields: {
      gateway: gateway.id,
      role: roleKey({ resource: row.resource, name: row.role }),
      attempt: row.attempt,
      principal: row.principal,
    },
  })
  return {
    ...unseal(key, { grant: id, sealed: row.loginSealed }),
    guards: [...rules.guards],
    masks: [...rules.masks],
    recording: rules.recording,
    rules: editionOf(rules),
  }
}
