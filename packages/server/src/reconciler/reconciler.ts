/**
 * The reconciler. Level-triggered: it asks which grants, requests and targets are not as they should be and due, and
 * sees to them. A hint only makes it look sooner; a lost one costs time, never correctness.
 */

import type { GrantId, Instant, Millis } from '@tidegate/core'
import { requestCommands } from '@tidegate/core'
import { sql } from 'kysely'
import type { Logger } from 'pino'
import type { Activation } from '../lifecycle/activate-grant.ts'
import { findOverdueReviews } from '../break-glass/reviews.ts'
import { reassessGrants, reassessRequests } from '../lifecycle/reassess.ts'
import { saveRequest } from '../lifecycle/save.ts'
import { change } from '../store/change.ts'
import type { Database } from '../store/database.ts'
import { settleOverdueStatements } from '../statements/over.ts'
import { nextOverdueStatement } from '../store/statements.ts'
import { hasOverdueRequests, overdueRequests } from '../store/requests.ts'
import { stepGrants } from './grant-step.ts'
import type { Crew } from './crew.ts'
import { createCrew, runCrew } from './crew.ts'
import { housekeeping } from './housekeeping.ts'
import { reconcilerLimits } from './limits.ts'
import { createLoop, everySoOften } from './loop.ts'
import type { Loop } from './loop.ts'
import { tendOne } from './tend.ts'

export type TendDeps = Activation & { readonly sweepEvery: Millis }
export type ReconcilerDeps = TendDeps & { readonly reaskEvery: Millis; readonly log: Logger }

export type Reconciler = {
  /** Begins to work by the clock and by hints. */
  readonly start: () => void
  /** There is something to do at this time: a hint. */
  readonly expect: (what: 'due' | 'targets', at: Instant) => void
  /** Sees to everything that is due by the clock, and returns. For tests, and before a stop. */
  readonly drain: () => Promise<void>
  readonly stop: () => Promise<void>
}

export function createReconciler(given: ReconcilerDeps): Reconciler {
  const deps = { ...given, suspects: new Set<GrantId>() }
  const { log, runtime } = deps
  const crew = createGrantCrew(deps, (error) => log.error({ err: error }, 'a grant that is due could not be seen to'))
  const grants = createLoop({
    // What has been found is not waited for: a target that hangs keeps nobody waiting who is due on another.
    async pass() {
      await crew.look()
      await expireRequests(deps)
    },
    nextAt: () => nextDeadline(deps.db),
    longestWaitMs: reconcilerLimits.longestWaitMs,
    now: runtime.now,
    failed: (error) => log.error({ err: error }, 'a pass over what is due failed'),
  })
  const targets = createLoop({
    pass: () => passTargets(deps),
    nextAt: () => nextTending(deps.db),
    longestWaitMs: reconcilerLimits.longestWaitMs,
    now: runtime.now,
    failed: (error) => log.error({ err: error }, 'a pass over targets failed'),
  })
  // Far from the loop that takes access away: their gateways have clocks of their own, and need no hint.
  const statements = createLoop({
    pass: () => settleOverdueStatements(deps),
    nextAt: () => nextOverdueStatement(deps.db),
    longestWaitMs: reconcilerLimits.longestWaitMs,
    now: runtime.now,
    failed: (error) => log.error({ err: error }, 'a pass over statements that wait failed'),
  })
  const stopping = new AbortController()
  const regularly = (every: number, work: () => Promise<void>): Loop =>
    everySoOften({
      every,
      work,
      now: runtime.now,
      failed: (error) => log.error({ err: error }, 'periodic work failed'),
    })
  const reask = regularly(deps.reaskEvery, async () => {
    await reassessGrants(deps, { filter: {}, because: 'fact-changed', leisurely: stopping.signal })
    await reassessRequests(deps)
    await change(deps, findOverdueReviews)
  })
  const tidy = regularly(reconcilerLimits.housekeepingEveryMs, () => housekeeping(deps))
  const loops: readonly Loop[] = [grants, targets, statements, reask, tidy]
  return {
    start: () => loops.forEach((loop) => loop.start()),
    expect: (what, at) => (what === 'due' ? grants : targets).expect(at),
    async drain() {
      await passTargets(deps)
      await passGrants(deps)
      await settleOverdueStatements(deps)
      await change(deps, findOverdueReviews)
    },
    async stop() {
      stopping.abort()
      await Promise.all(loops.map((loop) => loop.stop()))
      await crew.done()
    },
  }
}

async function passGrants(deps: CrewDeps): Promise<void> {
  const failures: unknown[] = []
  const crew = createGrantCrew(deps, (error) => void failures.push(error))
  await crew.look()
  await crew.done()
  if (failures.length > 0) throw failures[0]
  await expireRequests(deps)
}

type CrewDeps = ReconcilerDeps & { readonly suspects: Set<GrantId> }

function createGrantCrew(deps: CrewDeps, failed: (error: unknown) => void): Crew {
  const { suspects } = deps
  const busy = new Map<string, number>()
  const count = (resource: string, by: 1 | -1): void => void busy.set(resource, (busy.get(resource) ?? 0) + by)
  const saturated = (): string[] =>
    [...busy].filter(([, underWay]) => underWay >= reconcilerLimits.perResource).map(([resource]) => resource)
  return createCrew({
    most: reconcilerLimits.workers,
    failed,
    async work(hire) {
      const mine: string[] = []
      const picked = (resource: string): void => {
        mine.push(resource)
        count(resource, 1)
        hire()
      }
      try {
        return (await stepGrants(deps, { saturated, picked, suspects })) === 'done'
      } finally {
        for (const resource of mine) count(resource, -1)
      }
    },
  })
}

async function expireRequests(deps: ReconcilerDeps): Promise<void> {
  if (!(await hasOverdueRequests(deps.db, deps.runtime.now()))) return
  for (;;) {
    const count = await change(deps, async (unit) => {
      const overdue = await overdueRequests(unit.tx, unit.now, reconcilerLimits.overdueRequestsAtOnce)
      for (const request of overdue) {
        const outcome = requestCommands.requestTimePassed(request, unit.now)
        if ('events' in outcome) await saveRequest(unit, request, { events: outcome.events })
      }
      return overdue.length
    })
    if (count < reconcilerLimits.overdueRequestsAtOnce) return
  }
}

async function passTargets(deps: ReconcilerDeps): Promise<void> {
  const due = await nextTending(deps.db)
  if (due === undefined || due > deps.runtime.now()) return
  await runCrew({
    most: reconcilerLimits.tendAtOnce,
    async work(hire) {
      hire()
      return (await tendOne(deps)) !== undefined
    },
  })
}

async function nextDeadline(db: Database): Promise<Instant | undefined> {
  const { rows } = await sql<{ next: Instant | null }>`
    select least(
      (select min(due_at) from access_grant where due_at is not null),
      (select min(pending_until) from access_request where status = 'pending')
    ) as next`.execute(db)
  return rows[0]?.next ?? undefined
}

async function nextTending(db: Database): Promise<Instant | undefined> {
  const row = await db.selectFrom('targetState').select('dueAt').orderBy('dueAt').limit(1).executeTakeFirst()
  return row?.dueAt
}
