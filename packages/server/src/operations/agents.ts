import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import type { PrincipalRef } from '@tidegate/core'
import { chainOf, formatDuration, formatInstant, parseDuration, principalKey } from '@tidegate/core'
import type { Millis } from '@tidegate/core'
import { sql } from 'kysely'
import { actsForRef } from '../configuration/service-rules.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import { delegate } from '../identity/agents/delegate.ts'
import { killAgent, restoreAgent } from '../identity/agents/kill.ts'
import type { Caller } from '../identity/identity.ts'
import { identityLimits } from '../identity/limits.ts'
import { actingFor } from '../identity/principals.ts'
import { reassessGrants } from '../lifecycle/reassess.ts'
import type { Unit } from '../store/change.ts'
import type { Reader } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'
import type { Call, HandlersOf } from './handler.ts'
import { pageOf } from './pages.ts'

type Agent = Output<'restoreAgent'>

export const agentHandlers: HandlersOf<'listAgents' | 'createAgentToken' | 'killAgent' | 'restoreAgent'> = {
  listAgents: { kind: 'plain', run: listAgents },
  createAgentToken: { kind: 'change', run: createToken },
  killAgent: {
    kind: 'change',
    run: kill,
    // What was being filed or opened meanwhile.
    async after({ services, input: { id } }, output) {
      const snapshot = await services.configurations.current(services.db)
      const filter = { principals: actingFor(snapshot, `agent:${id}`) }
      const { ended } = await reassessGrants(services, { filter, because: 'fact-changed' })
      return { ...output, grantsEnded: output.grantsEnded + ended.length }
    },
  },
  restoreAgent: { kind: 'change', run: restore },
}

async function listAgents({ services, caller, input: { limit, cursor } }: Call<'listAgents'>) {
  const { db, configurations, runtime } = services
  const snapshot = await configurations.current(db)
  const ids = snapshot.declared.agents
    .map(({ id }) => id)
    .filter((id) => (caller.auditor || answersFor(caller, snapshot, id)) && (cursor === undefined || id > cursor))
    .toSorted()
    .slice(0, limit + 1)
  const views = await viewsOf(db, ids, { snapshot, now: runtime.now() })
  return pageOf(views, limit, (view) => view)
}

type Today = { readonly snapshot: Snapshot; readonly now: Unit['now'] }

async function viewsOf(reader: Reader, ids: readonly string[], { snapshot, now }: Today): Promise<Agent[]> {
  if (ids.length === 0) return []
  const keys = ids.map((id) => `agent:${id}`)
  const [killed, logins] = await Promise.all([
    reader.selectFrom('killedAgent').selectAll().where('agent', 'in', ids).execute(),
    reader
      .selectFrom('machineLogin')
      .select(['principal', sql<number>`count(*)::int`.as('count')])
      .where('principal', 'in', keys)
      .where('endedAt', 'is', null)
      .where('endsAt', '>', boundInstant(now))
      .groupBy('principal')
      .execute(),
  ])
  return ids.map((id) => {
    const end = killed.find(({ agent }) => agent === id)
    return {
      id,
      actsFor: declaredChain(snapshot, id).map(principalKey),
      logins: logins.find(({ principal }) => principal === `agent:${id}`)?.count ?? 0,
      ...(end && { killed: { at: formatInstant(end.killedAt), by: end.killedBy, reason: end.reason } }),
    }
  })
}

const viewOf = async (reader: Reader, id: string, today: Today): Promise<Agent> =>
  (await viewsOf(reader, [id], today))[0] as Agent

/** Those it acts for, as configuration says, whether they are there or not. */
function declaredChain({ declared }: Snapshot, id: string): PrincipalRef[] {
  const agent = declared.agents.find((one) => one.id === id)
  if (!agent) return []
  const ref = actsForRef(agent)
  return ref.kind === 'agent' ? [ref, ...declaredChain({ declared } as Snapshot, ref.id)] : [ref]
}

/** The person or the service that it acts for, in the end, and the owner of such a service. */
function answersFor({ principal }: Caller, snapshot: Snapshot, id: string): boolean {
  const chain = declaredChain(snapshot, id)
  const last = chain.at(-1)
  const owner =
    last?.kind === 'service' ? snapshot.declared.services.find((one) => one.id === last.id)?.owner : undefined
  const isOwner = principal.kind === 'user' && owner === principal.id
  return isOwner || chain.some((ref) => principalKey(ref) === principalKey(principal))
}

/** @throws {ApiError} `not-found` also for what the caller may not see */
function checkAnswersFor(caller: Caller, snapshot: Snapshot, id: string): void {
  const isThere = snapshot.declared.agents.some((one) => one.id === id)
  if (isThere && (caller.administrator || answersFor(caller, snapshot, id))) return
  if (isThere && caller.auditor) throw new ApiError('forbidden', { detail: 'Its people and administrators do this.' })
  throw new ApiError('not-found')
}

async function createToken(
  { services, caller, input: { id, lasts, keyThumbprint } }: Call<'createAgentToken'>,
  unit: Unit,
): Promise<Output<'createAgentToken'>> {
  const length = parseDuration(lasts) as Millis
  if (length > identityLimits.machineLogin) {
    const most = formatDuration(identityLimits.machineLogin)
    const problem = { field: 'lasts', message: `It lasts ${most} at most.`, remedy: 'Make another when it is over.' }
    throw new ApiError('invalid-input', { problems: [problem] })
  }
  const wanted = { agent: id, lasts: length, ...(keyThumbprint !== undefined && { keyThumbprint }) }
  const made = await delegate(services, unit, { ...wanted, by: caller })
  if (!made) throw new ApiError('not-found', { detail: 'No such agent acts for the caller, or it was killed.' })
  return {
    token: made.token,
    expiresAt: formatInstant(made.endsAt),
    principal: principalKey(made.agent),
    actsFor: chainOf(made.agent).slice(1).map(principalKey),
  }
}

async function kill(
  { services, caller, input: { id, reason } }: Call<'killAgent'>,
  unit: Unit,
): Promise<Output<'killAgent'>> {
  const snapshot = await services.configurations.current(unit.tx)
  checkAnswersFor(caller, snapshot, id)
  const by = principalKey(caller.principal)
  const { logins, grants } = await killAgent(unit, { snapshot, agent: id, by, reason })
  const agent = await viewOf(unit.tx, id, { snapshot, now: unit.now })
  return { agent, loginsEnded: logins, grantsEnded: grants }
}

async function restore(
  { services, caller, input: { id } }: Call<'restoreAgent'>,
  unit: Unit,
): Promise<Output<'restoreAgent'>> {
  const snapshot = await services.configurations.current(unit.tx)
  checkAnswersFor(caller, snapshot, id)
  const by = principalKey(caller.principal)
  const row = await unit.tx.selectFrom('killedAgent').selectAll().where('agent', '=', id).executeTakeFirst()
  if (row && !caller.administrator && row.killedBy !== by)
    throw new ApiError('forbidden', { detail: `${row.killedBy} killed it; they and administrators restore it.` })
  if (row) await restoreAgent(unit, { agent: id, by })
  return viewOf(unit.tx, id, { snapshot, now: unit.now })
}
