/**
 * Tends a target: its roles are made what configuration says, and its logins are compared with the live grants.
 * What is there and should not be is closed and reported; what should be there and is not, is reported.
 */

import type { Connector, Failure, FoundLogin } from '@tidegate/connectors'
import { isTargetFault, targetFault } from '@tidegate/connectors'
import type { GrantId, Instant } from '@tidegate/core'
import { after, formatInstant } from '@tidegate/core'
import { sql } from 'kysely'
import type { ResourceEntry } from '../configuration/snapshot.ts'
import { closeFinding, openFinding } from '../findings/findings.ts'
import type { Activation } from '../lifecycle/activate-grant.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Tx } from '../store/database.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import { tryGrantLock } from '../targets/grant-lock.ts'
import { backoff } from './backoff.ts'
import type { TendDeps } from './reconciler.ts'

export type Tended = { readonly resource: string; readonly problem?: string; readonly changes: readonly string[] }

/** Tends one target that is due; `undefined`: there is none that nobody else is at. */
export const tendOne = (deps: TendDeps): Promise<Tended | undefined> => tendPicked(deps, pickDueTarget)

/** Tends this target if it has not been since the version came into force. Waits for whoever else is at it. */
export const tendNow = (deps: TendDeps, wanted: Wanted): Promise<Tended | undefined> =>
  tendPicked(deps, (unit) => pickTarget(unit.tx, wanted))

async function tendPicked(
  deps: TendDeps,
  pick: (unit: Unit) => Promise<State | undefined>,
): Promise<Tended | undefined> {
  return change({ ...deps, db: deps.workDb }, async (unit) => {
    const state = await pick(unit)
    if (!state) return undefined
    const snapshot = await deps.configurations.current(unit.tx)
    const entry = snapshot.resources.get(state.resource)
    if (!entry) {
      // Its grants are closed by the reconciler, wherever they were opened; there is nothing else of it to tend.
      await unit.tx.deleteFrom('targetState').where('resource', '=', state.resource).execute()
      await closeFinding(unit, { kind: 'target-untended', subject: `resource:${state.resource}` })
      return { resource: state.resource, changes: [] }
    }
    const tended = await tend(deps, unit, entry)
    await record(
      { ...unit, now: deps.runtime.now() },
      { state, tended, version: snapshot.version, every: deps.sweepEvery },
    )
    return tended
  })
}

type State = { readonly resource: string; readonly failures: number }
type Wanted = { readonly resource: string; readonly version: number }

const targetsOf = (tx: Tx) => tx.selectFrom('targetState').select(['resource', 'failures']).limit(1).forUpdate()

const pickDueTarget = ({ tx, now }: Unit): Promise<State | undefined> =>
  targetsOf(tx).where('dueAt', '<=', boundInstant(now)).orderBy('dueAt').skipLocked().executeTakeFirst()

const pickTarget = (tx: Tx, { resource, version }: Wanted): Promise<State | undefined> =>
  targetsOf(tx)
    .where('resource', '=', resource)
    .where((eb) => eb.or([eb('configuration', 'is', null), eb('configuration', '<', version)]))
    .executeTakeFirst()

async function tend(deps: Activation, unit: Unit, entry: ResourceEntry): Promise<Tended> {
  const resource = entry.resource.id
  const connector = keepingItsWord(deps.targets.connector(entry))
  const aligned = await connector.align()
  const failed = aligned.outcome === 'failed' ? aligned : undefined
  const changes = aligned.outcome === 'aligned' ? aligned.changes : []
  // A role that cannot be put in order is no reason to leave a login that should not be.
  if (failed?.cause === 'unreachable' || failed?.cause === 'timeout')
    return { resource, problem: failed.message, changes }
  try {
    await compareLogins(unit, { resource, connector })
    return { resource, changes, ...(failed && { problem: failed.message }) }
  } catch (error) {
    // After a statement that failed the transaction records nothing: whoever began it has to hear of it.
    if (!isTargetFault(error)) throw error
    return { resource, problem: error.failure.message, changes }
  }
}

type Tending = Pick<Connector, 'align' | 'find' | 'moveEnd' | 'close'>
type Target = { readonly resource: string; readonly connector: Tending }

const brokenWord: Failure = { outcome: 'failed', notDone: false, cause: 'fault', message: 'The connector failed.' }

/** A connector that throws what it should not is a target that failed: known for what it is, and tried again later. */
const keepingItsWord = (connector: Connector): Tending => ({
  align: () => connector.align().catch(() => brokenWord),
  find: () =>
    connector.find().catch((error: unknown) => {
      throw isTargetFault(error) ? error : targetFault(brokenWord)
    }),
  moveEnd: (lease) => connector.moveEnd(lease).catch(() => brokenWord),
  close: (grant) => connector.close(grant).catch(() => brokenWord),
})

/**
 * The target is read before the store. A login is opened only after its grant says so in the store, so one that was
 * read from the target and has no live grant in the store never had one, or had it and has it no more.
 */
async function compareLogins(unit: Unit, { resource, connector }: Target): Promise<void> {
  const before = unit.runtime.now()
  const found = await connector.find()
  const live = await liveGrants(unit.tx, resource, found)
  const strangers = found.filter(({ grant }) => !live.known.has(grant))
  const failures: unknown[] = []
  const orFailure = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => {
      if (!isTargetFault(error)) throw error
      failures.push(error)
    })
  for (const login of strangers) await orFailure(closeOrphan(unit, { resource, connector, login }))
  for (const login of found.filter((one) => endsOtherwise(one, live)))
    await orFailure(tellEnd(unit, { resource, connector, login }))
  await compareActive(unit, { resource, found, active: live.active, before })
  if (failures.length > 0) throw failures[0]
}

type Compared = {
  readonly resource: string
  readonly found: readonly FoundLogin[]
  readonly active: Live['active']
  /** When the target was read. */
  readonly before: Instant
}

async function compareActive(unit: Unit, { resource, found, active, before }: Compared): Promise<void> {
  await closeSettledFindings(unit)
  const present = new Set<string>(found.map(({ grant }) => grant))
  for (const { id, openedAt } of active) {
    const subject = `grant:${id}`
    const missing = !present.has(id) && openedAt < before
    if (!missing) await closeFinding(unit, { kind: 'login-missing', subject })
    else
      await openFinding(unit, {
        kind: 'login-missing',
        subject,
        severity: 'medium',
        message: `The login of ${id} on ${resource} is gone; something else removed it.`,
      })
  }
}

/** A grant that is over misses no login. */
async function closeSettledFindings(unit: Unit): Promise<void> {
  const rows = await unit.tx
    .selectFrom('finding')
    .innerJoin('accessGrant', (join) =>
      join.on(sql`'grant:' || access_grant.id`, '=', (eb) => eb.ref('finding.subject')),
    )
    .select('finding.subject')
    .where('finding.kind', '=', 'login-missing')
    .where('finding.closedAt', 'is', null)
    .where('accessGrant.state', '=', 'ended')
    .execute()
  for (const { subject } of rows) await closeFinding(unit, { kind: 'login-missing', subject })
}

type Active = { readonly id: string; readonly openedAt: Instant; readonly expiresAt: Instant }
type Live = { readonly known: ReadonlySet<string>; readonly active: readonly Active[] }

async function liveGrants(tx: Tx, resource: string, found: readonly FoundLogin[]): Promise<Live> {
  const ids = found.map(({ grant }) => grant)
  const rows = await tx
    .selectFrom('accessGrant')
    .select(['id', 'state', 'openedAt', 'expiresAt'])
    .where('state', 'in', ['provisioning', 'active', 'ending'])
    .where((eb) =>
      ids.length > 0 ? eb.or([eb('id', 'in', ids), eb('resource', '=', resource)]) : eb('resource', '=', resource),
    )
    .execute()
  const active = rows.flatMap(({ id, state, openedAt, expiresAt }) =>
    state === 'active' && openedAt !== null && expiresAt !== null ? [{ id, openedAt, expiresAt }] : [],
  )
  return { known: new Set(rows.map(({ id }) => id)), active }
}

/** Its grant was shortened or extended, or someone told the target another end. */
const endsOtherwise = (login: FoundLogin, { active }: Live): boolean =>
  active.some(({ id, expiresAt }) => id === login.grant && login.expiresAt !== expiresAt)

type Differing = Target & { readonly login: FoundLogin }

/** Under the grant's lock: whoever opens it anew tells the target an end too. */
async function tellEnd(unit: Unit, { resource, connector, login }: Differing): Promise<void> {
  if (!(await tryGrantLock(unit.tx, login.grant))) return
  const live = await liveGrants(unit.tx, resource, [login])
  const grant = live.active.find(({ id }) => id === login.grant)
  if (!grant || !endsOtherwise(login, live)) return
  const { expiresAt } = grant
  const sooner = login.expiresAt !== undefined && login.expiresAt < expiresAt
  const moved = await connector.moveEnd({ grant: login.grant, expiresAt })
  if (moved.outcome === 'failed') {
    const length = sooner ? 'less long' : 'longer'
    const message = `${login.login} on ${resource} is let in for ${length} than its grant lasts: ${moved.message}`
    throw targetFault({ ...moved, message })
  }
  const type = sooner ? 'login.extended' : 'login.shortened'
  unit.record({ type, at: unit.now, grant: login.grant, fields: { resource, expiresAt: formatInstant(expiresAt) } })
}

type Orphan = Target & { readonly login: FoundLogin }

/** Under the grant's lock, and after another look: its holder may have begun to open it meanwhile. */
async function closeOrphan(unit: Unit, { resource, connector, login }: Orphan): Promise<void> {
  if (!(await tryGrantLock(unit.tx, login.grant))) return
  const { known } = await liveGrants(unit.tx, resource, [login])
  if (known.has(login.grant)) return
  const closed = await connector.close(login.grant)
  // Its grant has ended since the target was read, as it should, and took it away.
  if (closed.outcome === 'closed' && !closed.existed) return
  const what = `${login.login} on ${resource} had no live grant`
  const message =
    closed.outcome === 'closed' ? `${what}; it was closed.` : `${what}, and could not be closed: ${closed.message}`
  await openFinding(unit, { kind: 'orphan-login', subject: `grant:${login.grant}`, severity: 'high', message })
  if (closed.outcome === 'failed') throw targetFault({ ...closed, message })
  const grant: GrantId = login.grant
  unit.record({ type: 'orphan.closed', at: unit.now, grant, fields: { resource, sessionsEnded: closed.sessionsEnded } })
}

type Result = {
  readonly state: State
  readonly tended: Tended
  readonly version: number
  readonly every: TendDeps['sweepEvery']
}

async function record(unit: Unit, { state, tended, version, every }: Result): Promise<void> {
  const subject = `resource:${state.resource}`
  const failures = tended.problem === undefined ? 0 : state.failures + 1
  const next = tended.problem === undefined ? every : backoff(failures, unit.runtime.random)
  await unit.tx
    .updateTable('targetState')
    .set({
      dueAt: instantParam(after(unit.now, next)),
      failures,
      error: tended.problem ?? null,
      ...(tended.problem === undefined && { configuration: version, tendedAt: instantParam(unit.now) }),
    })
    .where('resource', '=', state.resource)
    .execute()
  if (tended.problem === undefined) return closeFinding(unit, { kind: 'target-untended', subject })
  await openFinding(unit, {
    kind: 'target-untended',
    subject,
    severity: 'medium',
    message: `${state.resource}: ${tended.problem}`,
  })
}
