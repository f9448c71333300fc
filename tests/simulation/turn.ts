/** How a step is carried out: as a strand of one process, and judged by what comes of it. */

import { begunNow, closed, judge } from './judge.ts'
import type { Call, Process } from './process.ts'
import type { Random } from './random.ts'
import type { Fault, Outcome, Strand } from './strands.ts'
import type { World } from './world.ts'
import { callAs } from './world.ts'

export type Taken = {
  /** Of its own randomness. */
  readonly salt: string
  /** The process that does it. */
  readonly process: number
  readonly faults: readonly Fault[]
  /** How many points it passes before something else happens. Absent: all. */
  readonly burst?: number
}

export type Turn = { readonly world: World; readonly random: Random; readonly step: Taken }

export type Row = {
  readonly weight: number
  /** Answers with what it did, for the trace; `undefined`: there was nothing to do it to. */
  readonly take: (turn: Turn) => Promise<string | undefined>
}

export const nothing = Promise.resolve(undefined)

export const standing = ({ outcome, blocked, queued, waiting }: Strand): string =>
  outcome
    ? ''
    : blocked.length > 0
      ? ' … waits for a lock'
      : waiting.length > 0
        ? ' … pauses'
        : queued > 0
          ? ' … waits for a connection'
          : ''

export type Asking = { readonly principal: string; readonly key: string; readonly body: object }

export function ask(turn: Turn, asking: Asking): Promise<string | undefined> {
  const { world } = turn
  const key = world.planted.withoutKeys ? {} : { key: asking.key }
  const call = callAs(asking.principal, { method: 'POST', path: '/v1/requests', body: asking.body, ...key })
  return operate(turn, `ask ${asking.principal} ${JSON.stringify(asking.body)}`, call, asking)
}

export async function advance(world: World, ms: number): Promise<string> {
  await world.advance(ms)
  return `${ms} ms go by`
}

export async function operate(turn: Turn, name: string, call: Call, asking?: Asking): Promise<string> {
  const { world } = turn
  const begun = begunNow(world, turn.step.process)
  const done = (outcome: Outcome, strand: Strand): void => {
    if (asking) world.unanswered = world.unanswered.filter(({ key }) => key !== asking.key)
    judge(world, { call, outcome, strand, name, begun })
    const heard = outcome.kind === 'value' && (outcome.value as { status: number }).status < 500
    if (asking && !heard) world.unanswered.push(asking)
  }
  return strandOf(turn, name, { done, work: (process) => process.call(call) })
}

export async function work(turn: Turn, name: string, task: (process: Process) => Promise<unknown>): Promise<string> {
  const begun = begunNow(turn.world, turn.step.process)
  const done = (outcome: Outcome, strand: Strand): void => closed(turn.world, { outcome, strand, name, begun })
  return strandOf(turn, name, { done, work: task })
}

type Doing = {
  readonly done: (outcome: Outcome, strand: Strand) => void
  readonly work: (process: Process) => Promise<unknown>
}

async function strandOf({ world, random, step }: Turn, name: string, { done, work }: Doing): Promise<string> {
  const { process, faults } = step
  const strand = await world.begin({ name, process, faults, random, done }, work)
  await world.scheduler.run(strand, step.burst)
  return `p${process} ${strand.number} ${name}${standing(strand)}`
}
