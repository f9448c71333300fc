/** Bugs that are planted, so that the simulation is seen to fail: each with the invariant that tells of it. */

import { ApiError } from '@tidegate/api'
import type { CloseOutcome, Connector, Credential } from '@tidegate/connectors'
import { after, formatInstant, hours, instant, makeId, principalKey } from '@tidegate/core'
import type { GrantId } from '@tidegate/core'
import { sql } from 'kysely'
import type { Snapshot } from '../../packages/server/src/configuration/snapshot.ts'
import { closeFinding } from '../../packages/server/src/findings/findings.ts'
import type { FindPrincipals } from '../../packages/server/src/identity/principals.ts'
import { credentialView, grantView } from '../../packages/server/src/operations/views.ts'
import type { Tx } from '../../packages/server/src/store/database.ts'
import { saveGrant } from '../../packages/server/src/lifecycle/save.ts'
import { findGrant, lockGrant } from '../../packages/server/src/store/grants.ts'
import { hashOfFiles, people } from './configuration.ts'
import type { History } from './history.ts'
import { runHistory } from './history.ts'
import type { InvariantName } from './invariants.ts'
import type { Emphasis } from './steps.ts'
import type { Row, Tamper, Tampering } from './store.ts'
import type { SimulatedTarget } from './targets.ts'
import type { Bench, Planted } from './world.ts'

export type PlantedBug = Planted & {
  readonly caughtBy: InvariantName
  /** The first seed to look from. */
  readonly seed: number
  /** What it takes to show, where that is rare. */
  readonly more?: Emphasis
}

const nothingToClose: CloseOutcome = { outcome: 'closed', existed: true, sessionsEnded: 0 }

/** Of every statement with this text, whoever sends it. */
const tamperWith =
  (pattern: RegExp, tampering: Tampering, by = /(?:)/): Tamper =>
  ({ text, strand }) =>
    pattern.test(text) && by.test(strand) ? tampering : undefined

const leftOut: Tampering = { as: 'left-out' }
/** As `readHeld` asks which roles of Tidegate itself somebody has. */
const whatIsHeld = /from "access_grant" where "principal" = \$1 and "resource" = \$2 and "state" = \$3/
const misread = (change: (row: Row) => Row): Tampering => ({ as: 'misread', rows: (rows) => rows.map(change) })
const noRows: Tampering = { as: 'misread', rows: () => [] }

/** As if the store had no triggers and no foreign keys: for bugs that it would refuse. */
const unguarded = (tx: Tx) => sql`set local session_replication_role = replica`.execute(tx)

const answerOfErin = (request: unknown): Row => ({
  id: 'app_nobody',
  request,
  approver: 'erin',
  verdict: 'approve',
  as_specs: ['leads'],
  comment: null,
  at: 0,
})

async function grantAnyway(tx: Tx, request: string): Promise<void> {
  await unguarded(tx)
  const grant = makeId('grant', instant(0), new Uint8Array(10))
  await sql`
    insert into access_grant (id, request, principal, resource, role, state, duration_ms, activate_by, attempt,
                              unsure_attempts, close_failures, due_at)
    select ${grant}, id, principal, resource, role, 'ready', 60000, pending_until, 0, 0, 0, pending_until
    from access_request where id = ${request}`.execute(tx)
}

/** Keeps one login for all grants of a role: whoever opens takes over the login of whoever opened before. */
function sharedLogins(connector: Connector, { memory }: SimulatedTarget): Connector {
  const sharedBy = (grant: GrantId, role: string): GrantId =>
    [...memory.logins].find(([, login]) => login.role === role)?.[0] ?? grant
  return {
    ...connector,
    open: (lease) => connector.open({ ...lease, grant: sharedBy(lease.grant, lease.role) }),
  }
}

const liveGrants = /select "id", "state", "opened_at", "expires_at" from "access_grant"/

const withoutFourEyes = (snapshot: Snapshot): Snapshot => {
  const { declared } = snapshot
  return { ...snapshot, declared: { ...declared, settings: { ...declared.settings, fourEyes: false } } }
}

/** As if the whole company were on call. */
const withEveryone = (snapshot: Snapshot): Snapshot => {
  const { declared } = snapshot
  const { breakGlass } = declared
  return {
    ...snapshot,
    declared: { ...declared, ...(breakGlass && { breakGlass: { ...breakGlass, people: [...people] } }) },
  }
}

/** What it takes for bugs of administration and break-glass to show. */
const administering: Emphasis = { askToAdminister: 3, administer: 3, breakGlass: 3, review: 3, activate: 2 }

const farAway = Date.UTC(2027, 0, 1)
const twoDays = 2 * 86_400_000

/** From the first pass on that comes so long after the one before it, until a history begins anew. */
function oversleeps(): Tamper {
  let seen = Number.POSITIVE_INFINITY
  let asleep = false
  return ({ text, values }) => {
    if (!text.includes('oldest as materialized')) return undefined
    const now = Math.max(...values.flatMap((value) => (value instanceof Date ? value.getTime() : [])))
    if (Math.abs(now - seen) > twoDays) asleep = now > seen
    seen = now
    return asleep ? noRows : undefined
  }
}

/** Remembers what was opened, and hands it out whatever has become of its grant. */
function handsOutAnyway(): Pick<Planted, 'disguise' | 'handlers'> {
  const made = new Map<string, Credential>()
  return {
    disguise: (connector) => ({
      ...connector,
      async open(lease) {
        const outcome = await connector.open(lease)
        if (outcome.outcome === 'opened') made.set(lease.grant, outcome.credential)
        return outcome
      },
    }),
    handlers: (real) => ({
      ...real,
      activateGrant: {
        kind: 'plain',
        async run(call) {
          try {
            return await real.activateGrant.run(call, undefined as never)
          } catch (error) {
            const [grant, credential] = [await findGrant(call.services.db, call.input.id), made.get(call.input.id)]
            if (!(error instanceof ApiError) || !grant || !credential) throw error
            return { grant: grantView(grant), credential: credentialView(credential) }
          }
        },
      },
    }),
  }
}

export const plantedBugs: Readonly<Record<string, PlantedBug>> = {
  'a connector that says closed and does nothing': {
    caughtBy: 'nothing-open-without-a-grant',
    seed: 1,
    disguise: (connector) => ({ ...connector, close: async () => nothingToClose }),
  },
  'a connector that says closed without reading back what it does not know': {
    caughtBy: 'nothing-open-without-a-grant',
    seed: 19,
    disguise: (connector) => ({
      ...connector,
      async close(grant) {
        const outcome = await connector.close(grant)
        return outcome.outcome === 'closed' ? outcome : nothingToClose
      },
    }),
  },
  'overlapping grants that share a login': { caughtBy: 'each-grant-has-its-own', seed: 10, disguise: sharedLogins },
  'a target that is told of a later end': {
    caughtBy: 'the-target-knows-the-end',
    seed: 6,
    more: { activate: 2 },
    disguise: (connector) => ({
      ...connector,
      open: (lease) => connector.open({ ...lease, expiresAt: after(lease.expiresAt, hours(1)) }),
    }),
  },
  'a second end that replaces the first': {
    caughtBy: 'ends-are-final',
    seed: 4,
    handlers: (real) => ({
      ...real,
      revokeGrant: {
        kind: 'change',
        async run(call, unit) {
          const output = await real.revokeGrant.run(call, unit)
          await unit.tx.updateTable('accessGrant').set({ endReason: 'revoked' }).where('id', '=', output.id).execute()
          return output
        },
      },
    }),
  },
  'an end that moves away with each new credential': {
    caughtBy: 'never-longer',
    seed: 1,
    more: { activate: 2 },
    handlers: (real) => ({
      ...real,
      activateGrant: {
        kind: 'plain',
        async run(call) {
          const output = await real.activateGrant.run(call, undefined as never)
          await call.services.db.transaction().execute(async (tx) => {
            await unguarded(tx)
            const expiresAt = sql<Date>`expires_at + interval '1 minute'`
            await tx.updateTable('accessGrant').set({ expiresAt }).where('id', '=', output.grant.id).execute()
          })
          return output
        },
      },
    }),
  },
  'an extension that asks nobody': {
    caughtBy: 'longer-only-by-asking',
    seed: 1,
    more: { extend: 3, activate: 2 },
    handlers: (real) => ({
      ...real,
      extendGrant: {
        kind: 'change',
        async run({ input: { id } }, unit) {
          const grant = await lockGrant(unit.tx, id)
          if (grant?.state !== 'active') throw new ApiError('grant-ended')
          await unguarded(unit.tx)
          const longer = { duration: hours(1), expiresAt: after(unit.now, hours(1)) }
          const event = { type: 'grant.extended', at: unit.now, request: grant.request, ...longer } as const
          await saveGrant(unit, grant, { events: [event] })
          const request = { id: grant.request, principal: principalKey(grant.principal), status: 'approved' }
          return { request, grant: { expiresAt: formatInstant(longer.expiresAt) } } as never
        },
      },
    }),
  },
  'an extension that revives what is ending': {
    caughtBy: 'longer-only-by-asking',
    seed: 1,
    more: { extend: 4, activate: 2, revoke: 3, pass: 0.3 },
    handlers: (real) => ({
      ...real,
      extendGrant: {
        ...real.extendGrant,
        kind: 'change',
        async run(call, unit) {
          await unguarded(unit.tx)
          await unit.tx
            .updateTable('accessGrant')
            .set({ state: 'active', endReason: null, endAt: null })
            .where('id', '=', call.input.id)
            .where('state', '=', 'ending')
            .execute()
          return real.extendGrant.run(call, unit)
        },
      },
    }),
  },
  'an extension that is told before its target knows': {
    caughtBy: 'the-target-hears-first',
    seed: 1,
    more: { extend: 3, activate: 2 },
    handlers: (real) => ({
      ...real,
      extendGrant: {
        kind: 'change',
        async run(call, unit) {
          return { ...(await real.extendGrant.run(call, unit)), targetKnows: true }
        },
      },
    }),
  },
  'a reconciler that is one millisecond late': { caughtBy: 'pass-leaves-nothing-due', seed: 1, lagMs: 1 },
  'a reconciler that is one millisecond early': { caughtBy: 'expiry-is-exact', seed: 1, lagMs: -1 },
  'changes without entries': {
    caughtBy: 'entries-tell-the-state',
    seed: 5,
    tamper: tamperWith(/insert into audit_entry/, leftOut),
  },
  'entries that are written in a transaction of their own': {
    caughtBy: 'entries-tell-the-state',
    seed: 4,
    more: { approve: 2, ask: 2, resume: 0.3 },
    tamper: tamperWith(/insert into audit_entry/, { as: 'apart' }),
  },
  'an end that only updates the row': {
    caughtBy: 'entries-tell-the-state',
    seed: 4,
    handlers: (real) => ({
      ...real,
      endGrant: {
        kind: 'change',
        async run({ input: { id } }, { tx, now }) {
          const end = { state: 'ending', endReason: 'done', endAt: new Date(now) }
          await tx.updateTable('accessGrant').set(end).where('id', '=', id).where('state', '=', 'active').execute()
          const grant = await findGrant(tx, id)
          if (!grant) throw new Error('gone')
          return grantView({ ...grant, end: grant.end ?? { reason: 'done', at: instant(now) } })
        },
      },
    }),
  },
  'answers that are taken and not kept': {
    caughtBy: 'what-was-answered-is-kept',
    seed: 1,
    tamper: tamperWith(/insert into "?approval/, leftOut),
  },
  'people who approve what they asked for': {
    caughtBy: 'enough-other-people',
    seed: 3,
    handlers: (real) => ({
      ...real,
      approveRequest: {
        kind: 'change',
        run(call, unit) {
          const findPrincipals: FindPrincipals = async (...asked) => {
            const found = await call.services.findPrincipals(...asked)
            return new Map([...found].map(([key, principal]) => [key, { ...principal, id: 'someone-else' }]))
          }
          return real.approveRequest.run({ ...call, services: { ...call.services, findPrincipals } }, unit)
        },
      },
    }),
  },
  'an answer that nobody gave': {
    caughtBy: 'enough-other-people',
    seed: 1,
    tamper: ({ text, values }) =>
      text.startsWith('select * from "approval"')
        ? { as: 'misread', rows: (rows) => [...rows, answerOfErin(values[0])] }
        : undefined,
  },
  'a grant of a request that was denied': {
    caughtBy: 'no-grant-without-a-decision',
    seed: 1,
    handlers: (real) => ({
      ...real,
      denyRequest: {
        kind: 'change',
        async run(call, unit) {
          const output = await real.denyRequest.run(call, unit)
          await grantAnyway(unit.tx, output.id)
          return output
        },
      },
    }),
  },
  'requests that are filed again when they are sent again': { caughtBy: 'asked-once', seed: 12, withoutKeys: true },
  'a tending that does not see which grants are live': {
    caughtBy: 'only-orphans-are-orphans',
    seed: 20,
    tamper: tamperWith(liveGrants, noRows),
  },
  'a tending that does not look at the target': {
    caughtBy: 'tending-leaves-no-orphans',
    seed: 1,
    more: { orphan: 10, tend: 5 },
    disguise: (connector) => ({ ...connector, find: async () => [] }),
  },
  'a secret that is noted where it was made': {
    caughtBy: 'secrets-stay-out',
    seed: 1,
    handlers: (real) => ({
      ...real,
      activateGrant: {
        kind: 'plain',
        async run(call) {
          const output = await real.activateGrant.run(call, undefined as never)
          const closeError = `opened with ${output.credential.secret}`
          await call.services.db
            .updateTable('accessGrant')
            .set({ closeError })
            .where('id', '=', output.grant.id)
            .execute()
          return output
        },
      },
    }),
  },
  'a lockout that nobody looks for': {
    caughtBy: 'administrators-stay',
    seed: 1,
    more: { lockOut: 10 },
    handlers: (real) => ({
      ...real,
      applyConfig: {
        kind: 'change',
        async run(call, unit) {
          if (!call.input.files.some(({ text }) => text.includes('id: admins, members: []')))
            return real.applyConfig.run(call, unit)
          const { files } = call.input
          await sql`
            insert into configuration_version (version, files, hash, applied_at, applied_by)
            select max(version) + 1, ${JSON.stringify(files)}, ${hashOfFiles(files)}, max(applied_at), 'user:dora'
            from configuration_version`.execute(unit.tx)
          return {} as never
        },
      },
    }),
  },
  'a change for which one person is enough': {
    caughtBy: 'nobody-weakens-alone',
    seed: 2,
    more: { apply: 12 },
    handlers: (real) => ({
      ...real,
      applyConfig: {
        kind: 'change',
        run(call, unit) {
          const { configurations } = call.services
          const current: typeof configurations.current = async (reader) =>
            withoutFourEyes(await configurations.current(reader))
          const services = { ...call.services, configurations: { ...configurations, current } }
          return real.applyConfig.run({ ...call, services }, unit)
        },
      },
    }),
  },
  'a role of Tidegate that outlasts its grant until somebody ends it': {
    caughtBy: 'power-only-while-held',
    seed: 3,
    more: { ...administering, administer: 4 },
    tamper: ({ text, values }) =>
      whatIsHeld.test(text) ? { as: 'miswritten', values: values.with(3, new Date(0)) } : undefined,
  },
  'a role of Tidegate that is had once its grant is ending, and not before': {
    caughtBy: 'power-only-while-held',
    seed: 3,
    more: { ...administering, administer: 4, done: 4, revoke: 4 },
    tamper: ({ text, values }) =>
      whatIsHeld.test(text) ? { as: 'miswritten', values: values.with(2, 'ending') } : undefined,
  },
  'standing owners who count as owners by a grant': {
    caughtBy: 'standing-power-is-told',
    seed: 2,
    more: administering,
    tamper: ({ text, values }) =>
      whatIsHeld.test(text) && values[0] === 'user:dora'
        ? { as: 'misread', rows: () => [{ id: 'grt_none', role: 'owner', expires_at: farAway }] }
        : undefined,
  },
  'glass that everyone breaks': {
    caughtBy: 'only-the-registered-break-glass',
    seed: 9,
    more: administering,
    handlers: (real) => ({
      ...real,
      breakGlass: {
        kind: 'plain',
        run(call) {
          const { configurations } = call.services
          const current: typeof configurations.current = async (reader) =>
            withEveryone(await configurations.current(reader))
          const services = { ...call.services, configurations: { ...configurations, current } }
          return real.breakGlass.run({ ...call, services }, undefined as never)
        },
      },
    }),
  },
  'a use of break-glass whose review was forgotten': {
    caughtBy: 'glass-is-reviewed',
    seed: 1,
    more: administering,
    handlers: (real) => ({
      ...real,
      breakGlass: {
        kind: 'plain',
        async run(call) {
          const output = await real.breakGlass.run(call, undefined as never)
          await call.services.db.transaction().execute(async (tx) => {
            await unguarded(tx)
            await tx.deleteFrom('breakGlassReview').where('id', '=', output.review.id).execute()
          })
          return output
        },
      },
    }),
  },
  'reviewers who review what they did themselves': {
    caughtBy: 'glass-is-reviewed',
    seed: 1,
    more: administering,
    handlers: (real) => ({
      ...real,
      closeReview: {
        kind: 'change',
        async run({ input: { id, comment }, caller }, unit) {
          await unguarded(unit.tx)
          const closed = { closedAt: new Date(unit.now), closedBy: caller.principal.id, comment }
          const row = await unit.tx
            .updateTable('breakGlassReview')
            .set(closed)
            .where('id', '=', id)
            .where('closedAt', 'is', null)
            .returningAll()
            .executeTakeFirst()
          if (!row) throw new ApiError('not-found')
          const fields = { review: id, overdue: false, by: principalKey(caller.principal), comment }
          unit.record({ type: 'break-glass.reviewed', at: unit.now, fields })
          await closeFinding(unit, { kind: 'break-glass-used', subject: `review:${id}` })
          return row as never
        },
      },
    }),
  },
  'glass that is broken again before anybody has looked': {
    caughtBy: 'unreviewed-breaks-no-glass',
    seed: 1,
    more: { ...administering, breakGlass: 6, review: 0 },
    tamper: tamperWith(/from "break_glass_review" where "closed_at" is null and "person"/, noRows),
  },
  'an opener that hands out what it made, whatever has become of the grant': {
    caughtBy: 'credential-only-while-live',
    seed: 1,
    ...handsOutAnyway(),
  },
  'a fact that is kept and not acted on': {
    caughtBy: 'facts-end-grants',
    seed: 32,
    more: { signal: 6, activate: 2, apply: 0, approve: 0.3 },
    tamper: tamperWith(/from "access_grant" where "state" in/, noRows, /^signal/),
  },
  'a grant that ends when somebody reads that its time is up': {
    caughtBy: 'reading-changes-nothing',
    seed: 2,
    more: { read: 12 },
    handlers: (real) => ({
      ...real,
      getGrant: {
        kind: 'plain',
        async run(call) {
          const { db, runtime } = call.services
          await db
            .updateTable('accessGrant')
            .set({ state: 'ending', endReason: 'expired', endAt: new Date(runtime.now()) })
            .where('state', '=', 'active')
            .where('expiresAt', '<=', sql<never>`${new Date(runtime.now())}`)
            .execute()
          return real.getGrant.run(call, undefined as never)
        },
      },
    }),
  },
  'an operation that breaks on what is not there yet': {
    caughtBy: 'nothing-unexpected',
    seed: 3,
    more: { read: 10 },
    tamper: tamperWith(/from "finding"/, { as: 'misread', rows: (rows) => [...rows, {}] }, /^read/),
  },
  'an end that waits on a second connection for the row that it has locked': {
    caughtBy: 'everything-ends',
    seed: 2,
    handlers: (real) => ({
      ...real,
      endGrant: {
        kind: 'change',
        async run(call, unit) {
          await lockGrant(unit.tx, call.input.id)
          await call.services.db.transaction().execute((tx) => lockGrant(tx, call.input.id))
          return real.endGrant.run(call, unit)
        },
      },
    }),
  },
  'a missing login that nobody hears of': {
    caughtBy: 'quiet-targets-give-what-grants-say',
    seed: 17,
    more: { remove: 15, activate: 2, done: 0, revoke: 0, longJump: 0, passAtTheEnd: 0 },
    tamper: tamperWith(
      liveGrants,
      misread((row) => ({ ...row, opened_at: row['opened_at'] === null ? null : farAway })),
    ),
  },
  'a finding that outlives what it was about': {
    caughtBy: 'quiet-findings-are-so',
    seed: 2,
    tamper: tamperWith(/update "finding" set "closed_at"/, leftOut),
  },
  'a policy after which nobody asks again': {
    caughtBy: 'quiet-policy-holds',
    seed: 3,
    more: {
      apply: 8,
      activate: 3,
      open: 3,
      done: 0,
      revoke: 0,
      signal: 0,
      longJump: 0,
      passAtTheEnd: 0,
      advanceToDeadline: 0,
    },
    tamper: tamperWith(/from "access_grant" where "state" in/, noRows),
  },
  'a closing that nobody comes back to': {
    caughtBy: 'quiet-everything-in-order',
    seed: 2,
    tamper: ({ text, values }) => {
      const due = /^update "access_grant" set "state" .*"due_at" = \$(\d+)/.exec(text)?.[1]
      return due !== undefined && values[0] === 'ending'
        ? { as: 'miswritten', values: values.with(Number(due) - 1, new Date(farAway)) }
        : undefined
    },
  },
  'a reconciler that does not wake from two days of sleep': {
    caughtBy: 'quiet-nothing-stays-open',
    seed: 1,
    tamper: oversleeps(),
  },
  'a log that forgets which entries it has': {
    caughtBy: 'the-log-verifies',
    seed: 1,
    tamper: tamperWith(/update audit_entry set leaf_index/, leftOut),
  },
}

/** Bugs that take one order of events out of very many: planted into histories that are written down. */
export const rareBugs = {
  looksOnce: {
    tamper: tamperWith(
      /from "access_grant" where "id" = \$1$/,
      misread((row) => ({ ...row, state: 'provisioning', end_reason: null, end_at: null, ended_at: null })),
    ),
  },
  locksNothing: {
    tamper: tamperWith(
      /pg_try_advisory_xact_lock/,
      misread((row) => ({ ...row, locked: true })),
    ),
  },
} as const satisfies Record<string, Planted>

const count = 80

/** Left out of a history unless its bug is about them: what it takes to show then comes sooner. */
const besides: Emphasis = { open: 0, extend: 0, askToAdminister: 0, administer: 0, breakGlass: 0, review: 0 }

/** The first history, from the seed that the bug names on, in which its invariant tells of it. */
export async function findPlanted(bench: Bench, bug: PlantedBug, most = 15): Promise<History | undefined> {
  for (let seed = bug.seed; seed < bug.seed + most; seed++) {
    const wanted = { seed: String(seed), count, more: { ...besides, ...bug.more } }
    const history = await runHistory(bench, wanted, { planted: bug })
    if (history.problems.some(({ invariant }) => invariant === bug.caughtBy)) return history
  }
  return undefined
}
