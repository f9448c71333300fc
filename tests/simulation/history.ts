/** One history from its seed: made, run, checked after each step, brought to quiet, and made short when it fails. */

import { createHash } from 'node:crypto'
import { checkInvariants } from './invariants.ts'
import { settleDown } from './quiet.ts'
import type { Emphasis, Step } from './steps.ts'
import { makeSteps, takeStep } from './steps.ts'
import type { Bench, Planted, Problem, World } from './world.ts'
import { createWorld } from './world.ts'

export type History = {
  readonly seed: string
  readonly steps: readonly Step[]
  /** Of the first step after which something did not hold. Empty: everything held. */
  readonly problems: readonly Problem[]
  readonly trace: readonly string[]
  /** Of the trace and of what the store held at the end: equal for equal seeds. */
  readonly digest: string
  /** What happened, by kind: a history in which nothing succeeds shows nothing. */
  readonly counts: Readonly<Record<string, number>>
}

export type HistoryOptions = { readonly planted?: Planted; readonly verbose?: boolean }

type Wanted = { readonly seed: string; readonly count: number; readonly more?: Emphasis }

export const runHistory = (bench: Bench, { seed, ...wanted }: Wanted, options: HistoryOptions = {}): Promise<History> =>
  runSteps(bench, { seed, steps: makeSteps(seed, wanted) }, options)

/** Looks at everything, and says what does not hold. */
export const checkOf = (world: World) => async (): Promise<void> => {
  await world.look()
  for (const judgement of world.completed.splice(0)) judgement()
  for (const { size, note } of world.sight.checkpoints) world.told.checkpoints.set(size, note)
  checkInvariants(world)
}

type Written = { readonly seed: string; readonly steps: readonly Step[] }

export async function runSteps(bench: Bench, { seed, steps }: Written, options: HistoryOptions = {}): Promise<History> {
  const world = await createWorld(bench, { seed, ...options })
  const check = checkOf(world)
  for (const step of steps) {
    world.steps++
    const told = await takeStep(world, step)
    if (told === undefined) continue
    world.log(`#${step.salt} ${new Date(world.now).toISOString().slice(5, 23)} ${told}`)
    await check()
    if (world.problems.length > 0) break
  }
  if (world.problems.length === 0) await settleDown(world, check)
  return {
    seed,
    steps,
    problems: world.problems.slice(),
    trace: world.trace,
    digest: await digestOf(world),
    counts: countsOf(world),
  }
}

const tables = [
  'access_request',
  'approval',
  'access_grant',
  'decision',
  'finding',
  'break_glass_review',
  'signal',
  'audit_disclosure',
  'target_state',
]

async function digestOf({ store, trace, sight }: World): Promise<string> {
  const short = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8)
  const sums = tables.map(
    (table) =>
      `select ${tables.indexOf(table)} as place, md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as sum from (select ${table === 'approval' ? 'id, request, approver, verdict, at' : '*'} from ${table}) t`,
  )
  const { rows } = await store.admin.query<{ sum: string }>(`${sums.join(' union all ')} order by place`)
  const parts = [`trace ${short(trace.join('\n'))}`, `entries ${short(JSON.stringify(sight.entries))}`]
  // Part by part, so that two that differ say where.
  return [...parts, ...tables.map((table, index) => `${table} ${rows[index]?.sum.slice(0, 8)}`)].join(', ')
}

function countsOf({ sight, told }: World): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { type } of sight.entries) counts[type] = (counts[type] ?? 0) + 1
  return { ...counts, credentials: told.credentials.length }
}

/** Leaves out what is not needed for the same invariant to fail: first in large pieces, then step by step. */
export async function shorten(bench: Bench, history: History, options: HistoryOptions = {}): Promise<History> {
  const invariant = history.problems[0]?.invariant
  let best = history
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.steps.length;) {
      const steps = best.steps.toSpliced(from, size)
      const tried = await runSteps(bench, { seed: history.seed, steps }, options)
      if (tried.problems.some((problem) => problem.invariant === invariant)) best = tried
      else from += size
    }
  }
  return best
}
