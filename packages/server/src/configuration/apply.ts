/**
 * Configuration as a whole: planned, applied, or left waiting for a second person. Absence means gone: what the files
 * do not say does not hold.
 */

import { ApiError } from '@tidegate/api'
import type { FieldProblem, Output } from '@tidegate/api'
import type { ConnectorKind } from '@tidegate/connectors'
import type { ChangeId, Instant } from '@tidegate/core'
import { formatInstant, principalKey } from '@tidegate/core'
import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Caller } from '../identity/identity.ts'
import { administratorsNeeded, workingAdministrators } from '../identity/administrators.ts'
import { configurationChanged } from '../gateways/feed.ts'
import type { FindPrincipals } from '../identity/principals.ts'
import type { Lifecycle } from '../lifecycle/context.ts'
import { isPastGateway } from '../lifecycle/obliged.ts'
import { entryLimits } from '../log/limits.ts'
import { declareWebhooks } from '../notify/declared.ts'
import { scheduleTending } from '../targets/schedule-tending.ts'
import { newId } from '../runtime.ts'
import type { Unit } from '../store/change.ts'
import type { Reader, Tables, Tx } from '../store/database.ts'
import { instantParam } from '../store/database.ts'
import { openGrants } from '../store/grants.ts'
import { concernsAdministration } from './administering.ts'
import { parseConfiguration } from './parse.ts'
import type { Plan, PlanItem } from './plan.ts'
import { needsSecondPerson, planItems, touchedResources } from './plan.ts'
import type { SessionRules } from './session-rules.ts'
import type { Snapshot, SourceFile } from './snapshot.ts'
import { unkeptEffects } from './obliging.ts'
import { untoldEffects } from './webhook-rules.ts'

export type Kinds = ReadonlyMap<string, ConnectorKind>
export type ConfigChange = Output<'getChange'>

type Deps = Lifecycle & { readonly kinds: Kinds; readonly sessionRules?: SessionRules }

const configurationLock = 7_243_004

type Planned = {
  readonly before: Snapshot
  readonly after: Snapshot
  readonly plan: Plan
  /** It says who administers. */
  readonly takesOwner: boolean
}

type Proposal = { readonly files: readonly SourceFile[]; readonly by: Pick<Caller, 'administrator'> }

/** Reads the files, checks everything, and says what would change. @throws {ApiError} `invalid-input` with every problem */
export async function planConfiguration(deps: Deps, reader: Reader, { files, by }: Proposal): Promise<Planned> {
  const before = await deps.configurations.current(reader)
  const { kinds, sessionRules } = deps
  const parsed = parseConfiguration(files, { version: before.version + 1, kinds, sessionRules })
  if (!parsed.ok) throw invalid(parsed.problems)
  const after = parsed.snapshot
  const { findPrincipals } = deps
  const under = { after, now: deps.runtime.now(), findPrincipals }
  const locked = await lockoutProblem(reader, under)
  if (locked) throw invalid([locked])
  const items = planItems(before, after)
  const effects = [...(await effectsOf(reader, before, under)), ...unkeptEffects(after), ...untoldEffects(after)]
  const takesOwner = concernsAdministration({ before, after, items })
  // Who writes policy is not who says who administers.
  const second = needsSecondPerson(before, items) || (takesOwner && !by.administrator)
  return { before, after, takesOwner, plan: { base: before.version, items, effects, needsSecondPerson: second } }
}

const invalid = (problems: readonly FieldProblem[]): ApiError =>
  new ApiError('invalid-input', { detail: 'The configuration was not applied; nothing has changed.', problems })

type Under = { readonly after: Snapshot; readonly now: Instant; readonly findPrincipals: FindPrincipals }

/** Policy never locks out its administrators: whoever is needed to change it back must be left. */
async function lockoutProblem(reader: Reader, under: Under): Promise<FieldProblem | undefined> {
  const { after } = under
  const { administrators } = after.declared.settings
  const left = await workingAdministrators(reader, under)
  if (left.size >= administratorsNeeded(after)) return undefined
  if (left.size === 0) {
    return {
      field: 'settings.administrators',
      message: `No one in the group ${administrators} has a token that works: nobody could change this back.`,
      remedy: 'Put a user with an unexpired token into that group.',
    }
  }
  return {
    field: 'settings.fourEyes',
    message: `Only one person in the group ${administrators} has a token that works: no change could be approved.`,
    remedy: 'Put a second user with an unexpired token into that group, or leave four eyes off.',
  }
}

/** What it does to access that is open now, as far as can be said without asking the question again. */
async function effectsOf(reader: Reader, before: Snapshot, { after, now, findPrincipals }: Under): Promise<string[]> {
  const effects: string[] = []
  const grants = await openGrants(reader)
  const refs = grants.map(({ principal }) => principal)
  const principals = await findPrincipals(reader, { snapshot: after, refs, now })
  for (const grant of grants) {
    const was = before.resources.get(grant.resource)
    const is = after.resources.get(grant.resource)
    const who = `${grant.id} (${principalKey(grant.principal)} on ${grant.resource}/${grant.role})`
    if (!is) effects.push(`ends ${who}: the resource is removed`)
    else if (!is.roles.has(grant.role)) effects.push(`ends ${who}: the role is removed`)
    else if (was && was.targetKey !== is.targetKey) effects.push(`ends ${who}: the resource points to another target`)
    else if (isPastGateway(grant, is.resource)) effects.push(`ends ${who}: it was opened without a gateway`)
    else if (!principals.has(principalKey(grant.principal))) effects.push(`ends ${who}: the principal is removed`)
  }
  return effects
}

type Application = { readonly caller: Caller; readonly files: readonly SourceFile[]; readonly base?: number }

/** Applies, or files the change for a second person. */
export async function applyConfiguration(
  deps: Deps,
  unit: Unit,
  { caller, files, base }: Application,
): Promise<ConfigChange> {
  await lockConfiguration(unit.tx)
  const planned = await planConfiguration(deps, unit.tx, { files, by: caller })
  if (base !== undefined && base !== planned.plan.base) {
    throw new ApiError('change-stale', {
      detail: `It was planned on version ${base}; version ${planned.plan.base} is in force.`,
    })
  }
  const id = newId(unit.runtime, 'change')
  const waits = planned.plan.needsSecondPerson
  const version = waits || planned.plan.items.length === 0 ? null : planned.after.version
  if (version !== null) await install(unit, planned.after, principalKey(caller.principal))
  const settled = waits ? null : unit.now
  await unit.tx
    .insertInto('configurationChange')
    .values({
      id,
      base: planned.plan.base,
      files: JSON.stringify(planned.after.files),
      plan: JSON.stringify(planned.plan),
      status: waits ? 'pending' : 'applied',
      author: principalKey(caller.principal),
      at: instantParam(unit.now),
      settledBy: null,
      settledAt: settled === null ? null : instantParam(settled),
      version,
      waited: waits,
    })
    .execute()
  if (version !== null) await afterInstall(unit, planned)
  recordApplication(unit, { id, planned, caller, waits })
  return changeFromRow(await getChangeRow(unit.tx, id))
}

type Recorded = { id: ChangeId; planned: Planned; caller: Caller; waits: boolean }

/** Nobody's name stands in the log in clear: which people an item is about says the plan of the change. */
const itemsInWords = (items: readonly PlanItem[]): string[] =>
  items
    .slice(0, entryLimits.items)
    .map(({ action, kind, id }) =>
      kind === 'user' || kind === 'agent' ? `${action} ${kind}` : `${action} ${kind} ${id}`,
    )

function recordApplication(unit: Unit, { id, planned, caller, waits }: Recorded): void {
  const author = principalKey(caller.principal)
  const { items } = planned.plan
  const common = {
    change: id,
    hash: planned.after.hash,
    items: itemsInWords(items),
    author,
  }
  if (waits)
    unit.record({ type: 'configuration.proposed', at: unit.now, fields: { ...common, base: planned.plan.base } })
  else if (items.length > 0) {
    const fields = { ...common, version: planned.after.version, secondPerson: false }
    unit.record({ type: 'configuration.applied', at: unit.now, fields })
  }
}

const lockConfiguration = async (tx: Tx): Promise<void> =>
  void (await sql`select pg_advisory_xact_lock(${configurationLock})`.execute(tx))

async function install(unit: Unit, after: Snapshot, by: string): Promise<void> {
  await unit.tx
    .insertInto('configurationVersion')
    .values({
      version: after.version,
      files: JSON.stringify(after.files),
      hash: after.hash,
      appliedAt: instantParam(unit.now),
      appliedBy: by,
    })
    .execute()
}

/**
 * Everything that rests on the configuration is looked at again: targets by the reconciler, grants by the question,
 * what sessions are held to by the feed of gateways. Webhooks have a row from here on, or none.
 */
async function afterInstall(unit: Unit, { before, after }: Planned): Promise<void> {
  unit.hint({ to: 'gateways', about: configurationChanged })
  await declareWebhooks(unit, { before: before.declared, after: after.declared })
  await scheduleTending(unit, touchedResources(before.declared, after.declared))
}

type Settlement = { readonly caller: Caller; readonly id: string }

/** The second person applies what waits: the same files, on the version they were planned on. */
export async function approveChange(deps: Deps, unit: Unit, { caller, id }: Settlement): Promise<ConfigChange> {
  await lockConfiguration(unit.tx)
  const row = await waitingChange(unit.tx, id)
  const by = principalKey(caller.principal)
  if (row.author === by) throw new ApiError('second-person-needed')
  const planned = await planConfiguration(deps, unit.tx, { files: row.files, by: caller })
  if (planned.takesOwner && !caller.administrator)
    throw new ApiError('forbidden', { detail: 'It says who administers: an administrator approves it.' })
  if (planned.plan.base !== row.base) {
    await settle(unit, { id, status: 'stale', by })
    return changeFromRow(await getChangeRow(unit.tx, id))
  }
  await install(unit, planned.after, by)
  await settle(unit, { id, status: 'applied', by, version: planned.after.version })
  await afterInstall(unit, planned)
  const items = itemsInWords(planned.plan.items)
  const { version, hash } = planned.after
  const fields = { change: id, version, hash, items, secondPerson: true, author: row.author, approver: by }
  unit.record({ type: 'configuration.applied', at: unit.now, fields })
  return changeFromRow(await getChangeRow(unit.tx, id))
}

export async function rejectChange(unit: Unit, { caller, id }: Settlement): Promise<ConfigChange> {
  await lockConfiguration(unit.tx)
  await waitingChange(unit.tx, id)
  const by = principalKey(caller.principal)
  await settle(unit, { id, status: 'rejected', by })
  unit.record({ type: 'configuration.rejected', at: unit.now, fields: { change: id, by } })
  return changeFromRow(await getChangeRow(unit.tx, id))
}

type ChangeRow = Selectable<Tables['configurationChange']>

async function waitingChange(tx: Tx, id: string): Promise<ChangeRow> {
  const row = await tx.selectFrom('configurationChange').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  if (!row) throw new ApiError('not-found')
  if (row.status !== 'pending') throw new ApiError('change-settled', { detail: `It is ${row.status}.` })
  return row
}

type Settled = { id: string; status: 'applied' | 'rejected' | 'stale'; by: string; version?: number }

async function settle(unit: Unit, { id, status, by, version }: Settled): Promise<void> {
  await unit.tx
    .updateTable('configurationChange')
    .set({ status, settledBy: by, settledAt: instantParam(unit.now), version: version ?? null })
    .where('id', '=', id)
    .execute()
}

export async function getChangeRow(reader: Reader, id: string): Promise<ChangeRow> {
  const row = await reader.selectFrom('configurationChange').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('not-found')
  return row
}

export const changeFromRow = (row: ChangeRow): ConfigChange => ({
  id: row.id,
  status: row.status,
  author: row.author,
  at: formatInstant(row.at),
  plan: row.plan as Plan,
  ...(row.settledBy !== null && { settledBy: row.settledBy }),
  ...(row.settledAt !== null && { settledAt: formatInstant(row.settledAt) }),
  ...(row.version !== null && { version: row.version }),
})
