/**
 * What can happen in a history: one row a kind. A step is plain data; what it is done to is drawn from what is there
 * when its turn comes, by randomness of its own, so that a step means something when others before it are left out.
 */

import { formatInstant, instant } from '@tidegate/core'
import type { GrantId } from '@tidegate/core'
import { privilegesOf } from '@tidegate/connectors/memory'
import { administrators, askers, lockouts, people, roles, targetNames, variants } from './configuration.ts'
import { administrationSteps } from './administration-steps.ts'
import type { GrantRow } from './look.ts'
import type { Random } from './random.ts'
import { createRandom } from './random.ts'
import type { Fault } from './strands.ts'
import { faultKinds } from './strands.ts'
import type { Row, Taken, Turn } from './turn.ts'
import { advance, ask, nothing, operate, standing, work } from './turn.ts'
import type { World } from './world.ts'
import { applyBody, callAs, lockoutBodies, mostSkewMs, processCount } from './world.ts'

export type Step = Taken & { readonly kind: StepKind }

const minute = 60_000

export const stepTable = {
  ask: {
    weight: 14,
    take: (turn) => {
      const { random, world } = turn
      const principal = random.pick([...askers, 'user:alice', 'user:bob']) as string
      const role = random.pick(roles) as string
      const duration = random.pick(
        role.endsWith('read') ? ['30s', '5m', '10m', '30m'] : ['30s', '5m', '15m', '40m'],
      ) as string
      const ticket = role === 'orders/admin' || random.chance(0.1) ? { ticket: 'T-1' } : {}
      const startAt = random.chance(0.15)
        ? { startAt: formatInstant(instant(world.now + random.below(20 * minute) + 5_000)) }
        : {}
      const key = `key-${turn.step.salt}`
      return ask(turn, { principal, key, body: { role, duration, reason: key, ...ticket, ...startAt } })
    },
  },
  open: {
    // Asked for and opened in one call, which is not sent again: its answer holds a secret.
    weight: 5,
    take: (turn) => {
      const { random } = turn
      const principal = random.pick(askers) as string
      const role = random.pick(['orders/read', 'ledger/read', 'ledger/read', 'orders/write']) as string
      const body = { role, duration: random.pick(['30s', '5m', '10m']), reason: `opened ${turn.step.salt}` }
      const call = callAs(principal, { method: 'POST', path: '/v1/access', body })
      return operate(turn, `open ${principal} ${JSON.stringify(body)}`, call)
    },
  },
  extend: {
    weight: 8,
    take: async (turn) => {
      const { random, world } = turn
      const grant = pickOpen(turn)
      if (!grant) return undefined
      const by = random.chance(0.95) ? grant.principal : (random.pick(askers) as string)
      const duration = random.pick(['30s', '5m', '10m', '20m', '40m']) as string
      // Most ask when it is about to end, some at the very last moment, by the clock of whom they ask.
      const left = (grant.expires_at ?? 0) - world.clock(turn.step.process)
      const late = random.chance(0.5) && left > 2_000 ? `${await advance(world, left - random.below(2_000) + 2)}; ` : ''
      const key = `extended-${turn.step.salt}`
      const path = `/v1/grants/${grant.id}/extend`
      const call = callAs(by, { method: 'POST', path, body: { duration, reason: key }, key })
      return `${late}${await operate(turn, `extend ${brief(grant)} by ${duration}`, call)}`
    },
  },
  askAgain: {
    // A client that did not hear the answer sends the same again, with the same key.
    weight: 6,
    take: (turn) => {
      const again = turn.random.pick(turn.world.unanswered)
      return again ? ask(turn, again) : nothing
    },
  },
  approve: { weight: 24, take: (turn) => answer(turn, 'approve') },
  deny: { weight: 1, take: (turn) => answer(turn, 'deny') },
  cancel: {
    weight: 1,
    take: (turn) => {
      const request = turn.random.pick(
        [...turn.world.sight.requests.values()].filter(({ status }) => status === 'pending'),
      )
      if (!request) return nothing
      return operate(
        turn,
        `cancel ${request.id}`,
        callAs(request.principal, { method: 'POST', path: `/v1/requests/${request.id}/cancel` }),
      )
    },
  },
  activate: {
    weight: 28,
    take: (turn) => {
      const all = [...turn.world.sight.grants.values()]
      const grant = turn.random.pick(
        turn.random.chance(0.75) ? all.filter(({ state }) => state === 'ready' || state === 'provisioning') : all,
      )
      if (!grant) return nothing
      return operate(
        turn,
        `activate ${brief(grant)}`,
        callAs(grant.principal, { method: 'POST', path: `/v1/grants/${grant.id}/${beginning(grant)}` }),
      )
    },
  },
  done: {
    weight: 3,
    take: (turn) => {
      const grant = pickOpen(turn)
      if (!grant) return nothing
      return operate(
        turn,
        `done ${brief(grant)}`,
        callAs(grant.principal, { method: 'POST', path: `/v1/grants/${grant.id}/done`, body: {} }),
      )
    },
  },
  revoke: {
    weight: 3,
    take: (turn) => {
      const grant = pickOpen(turn)
      if (!grant) return nothing
      const by = turn.random.pick(['user:dora', 'user:erin', 'user:bob']) as string
      return operate(
        turn,
        `revoke ${brief(grant)} by ${by}`,
        callAs(by, { method: 'POST', path: `/v1/grants/${grant.id}/revoke`, body: { reason: 'simulated' } }),
      )
    },
  },
  signal: {
    weight: 4,
    take: (turn) => {
      const { random } = turn
      const body = random.chance(0.5)
        ? { name: 'ticket', subject: 'ticket:T-1', value: { open: random.chance(0.8) } }
        : {
            name: 'device',
            subject: random.pick(['user:alice', 'user:bob', 'agent:helper']),
            value: { compliant: random.chance(0.8), managed: true },
          }
      return operate(
        turn,
        `signal ${body.subject} ${JSON.stringify(body.value)}`,
        callAs('service:watch', { method: 'PUT', path: '/v1/signals', body }),
      )
    },
  },
  apply: {
    weight: 2.5,
    take: (turn) => {
      const variant = turn.random.chance(0.5) ? turn.random.below(2) : turn.random.below(variants.length)
      const by = turn.random.pick(['user:dora', 'user:erin']) as string
      const call = callAs(by, { method: 'POST', path: '/v1/config/apply', body: applyBody(variant) })
      return operate(turn, `apply: ${variants[variant]?.about}`, call)
    },
  },
  lockOut: {
    weight: 0.4,
    take: (turn) => {
      const index = turn.random.below(lockouts.length)
      const call = callAs('user:dora', { method: 'POST', path: '/v1/config/apply', body: lockoutBodies[index] ?? {} })
      return operate(turn, `apply: ${lockouts[index]?.about}`, call)
    },
  },
  settle: {
    // Also by whoever wrote the change.
    weight: 3,
    take: (turn) => {
      const { random, world } = turn
      const change = random.pick(world.sight.changes.filter(({ status }) => status === 'pending'))
      if (!change) return nothing
      const verb = random.chance(0.85) ? 'approve' : 'reject'
      const by = `user:${random.pick(administrators)}`
      const call = callAs(by, { method: 'POST', path: `/v1/changes/${change.id}/${verb}` })
      return operate(turn, `${verb} ${change.id} by ${by}`, call)
    },
  },
  read: {
    // When something has just come to its end and nobody has seen to it yet, reading must not see to it either.
    weight: 2,
    take: async (turn) => {
      const { random, world } = turn
      const grant = random.pick([...world.sight.grants.values()])
      const [as, path] =
        grant && random.chance(0.5)
          ? [grant.principal, `/v1/grants/${grant.id}`]
          : ['user:dora', random.pick(['/v1/grants', '/v1/requests', '/v1/findings', '/v1/me']) as string]
      const end = Math.min(...[...world.sight.grants.values()].flatMap((one) => futureEnd(world, one)))
      const moved = random.chance(0.3) && Number.isFinite(end) ? `${await advance(world, end - world.now)}; ` : ''
      return `${moved}${await operate(turn, `read ${path}`, callAs(as, { method: 'GET', path }))}`
    },
  },
  pass: { weight: 14, take: (turn) => work(turn, 'pass', (process) => process.drain()) },
  passAtTheEnd: {
    // At the very instant, just before it and just after, by the clock of whoever passes.
    weight: 8,
    take: async (turn) => {
      const { world, random, step } = turn
      const open = [...world.sight.grants.values()].filter(
        ({ state }) => state === 'active' || state === 'provisioning',
      )
      const ends = open.flatMap(({ expires_at }) => expires_at ?? []).filter((at) => at > world.clock(step.process))
      const end = random.chance(0.7) ? Math.min(...ends) : random.pick(ends)
      if (ends.length === 0 || end === undefined) return undefined
      const moved = await advance(world, Math.max(0, end - world.clock(step.process) + random.below(3) - 1))
      return `${moved}; ${await work(turn, 'pass', (process) => process.drain())}`
    },
  },
  tend: {
    weight: 3,
    take: (turn) => {
      const resource = turn.random.pick(['orders', 'ledger']) as string
      return work(turn, `tend ${resource}`, (process) => process.tend(resource))
    },
  },
  reask: { weight: 3, take: (turn) => work(turn, 'reask', (process) => process.reask()) },
  integrate: { weight: 4, take: (turn) => work(turn, 'integrate', (process) => process.integrate()) },
  tidy: { weight: 0.5, take: (turn) => work(turn, 'tidy', (process) => process.tidy()) },
  resume: {
    weight: 12,
    take: async ({ world, random, step }) => {
      const strand = random.pick(world.scheduler.live().filter(({ waiting }) => waiting.length > 0))
      if (!strand) return undefined
      await world.scheduler.run(strand, step.burst)
      return `${strand.number} ${strand.name} goes on${standing(strand)}`
    },
  },
  advance: {
    weight: 6,
    take: ({ world, random }) => advance(world, random.below(random.pick([50, 2_000, 20_000, 3 * minute]) as number)),
  },
  advanceToDeadline: {
    weight: 8,
    take: ({ world, random }) => {
      const { grants, requests } = world.sight
      const open = [...grants.values()].filter(({ state }) => state !== 'ended')
      const soon = open.flatMap(({ expires_at, start_at }) => [expires_at ?? 0, start_at ?? 0])
      const far = [
        ...open.map(({ activate_by }) => activate_by),
        ...[...requests.values()].flatMap(({ status, pending_until }) => (status === 'pending' ? [pending_until] : [])),
      ]
      const deadlines = (random.chance(0.85) ? soon : [...soon, ...far]).filter((at) => at > world.now)
      const deadline = random.chance(0.5) ? Math.min(...deadlines) : random.pick(deadlines)
      if (deadline === undefined || deadline === Number.POSITIVE_INFINITY) return nothing
      // Of the clock of one of the processes, or of the targets, which have the right time.
      const skew = random.chance(0.5) ? 0 : (random.pick(world.skews) as number)
      return advance(world, Math.max(0, deadline - skew - world.now + random.below(3) - 1))
    },
  },
  longJump: { weight: 0.4, take: ({ world, random }) => advance(world, random.below(26 * 60) * minute) },
  skew: {
    weight: 1,
    take: async ({ world, random, step }) => {
      const skew = random.below(2 * mostSkewMs + 1) - mostSkewMs
      world.skews[step.process] = skew
      return `the clock of p${step.process} is off by ${skew} ms`
    },
  },
  crash: {
    weight: 1.5,
    take: async ({ world, step }) => {
      await world.crash(step.process)
      return `p${step.process} crashes, and is started again`
    },
  },
  targetDown: { weight: 3, take: ({ world, random }) => setDown(world, random.pick(targetNames) as string, true) },
  targetUp: {
    weight: 4,
    take: ({ world, random }) => {
      const target = random.pick(world.targets.all().filter(({ down }) => down))
      return target ? setDown(world, target.name, false) : nothing
    },
  },
  late: {
    weight: 3,
    take: async ({ world }) => {
      const landed = await world.landGhosts(1)
      return landed === 0 ? undefined : `${landed} of what was held up arrives`
    },
  },
  logIn: {
    weight: 5,
    take: async ({ world, random }) => {
      const credential = random.pick(world.told.credentials.slice(-6))
      if (!credential) return undefined
      for (const target of world.targets.all()) {
        if (privilegesOf(target.memory, memoryCredential(credential), world.now).size === 0) continue
        target.memory.sessions.add({ grant: credential.grant as GrantId, end: () => undefined })
        return `the holder of ${credential.grant} logs in on ${target.name}`
      }
      return `the holder of ${credential.grant} is not let in`
    },
  },
  orphan: {
    // Something else than Tidegate makes a login that looks like one of ours.
    weight: 1,
    take: async ({ world, random, step }) => {
      const target = world.targets.named(random.pick(['orders', 'ledger']) as string)
      const grant = `grt_${'0'.repeat(20)}${step.salt.padStart(6, '0').slice(-6)}` as GrantId
      target.memory.logins.set(grant, {
        role: 'read',
        secret: 'planted',
        expiresAt: instant(world.now + 600 * minute),
        shut: false,
      })
      target.excused.set(grant, 'it was made by hand')
      return `a login is made by hand on ${target.name}: ${grant}`
    },
  },
  restore: {
    // The target is restored from a copy: a login that was closed is there again, with its secret.
    weight: 1,
    take: async ({ world, random }) => {
      const ended = [...world.sight.grants.values()].filter(
        ({ state, expires_at }) => state === 'ended' && expires_at !== null,
      )
      const grant = random.pick(ended)
      const credential = grant && world.told.credentials.findLast((one) => one.grant === grant.id)
      const target =
        grant && grant.configuration !== null && credential
          ? world.targetOf(grant.resource, grant.configuration)
          : undefined
      if (!target || !grant || !credential) return undefined
      target.memory.logins.set(grant.id as GrantId, {
        role: grant.role,
        secret: credential.secret,
        expiresAt: instant(credential.expiresAt),
        shut: false,
      })
      target.excused.set(grant.id as GrantId, 'the target was restored')
      return `${target.name} is restored: the login of ${grant.id} is there again`
    },
  },
  remove: {
    weight: 1,
    take: async ({ world, random }) => {
      const target = world.targets.named(random.pick(['orders', 'ledger']) as string)
      const login = random.pick([...target.memory.logins.keys()])
      if (login === undefined) return undefined
      target.memory.logins.delete(login)
      // Of a role that is gone a session has no privilege left.
      for (const session of target.memory.sessions) if (session.grant === login) target.memory.sessions.delete(session)
      target.removed.add(login)
      return `the login of ${login} is removed by hand from ${target.name}`
    },
  },
  ...administrationSteps,
} as const satisfies Record<string, Row>

export type StepKind = keyof typeof stepTable

export const memoryCredential = ({ user, secret }: { user: string; secret: string }) =>
  ({ user, secret }) as Parameters<typeof privilegesOf>[1]

const futureEnd = ({ now }: World, { expires_at }: GrantRow): number[] =>
  expires_at !== null && expires_at > now ? [expires_at] : []

const brief = ({ id, principal, resource, role }: GrantRow): string => `${id} (${principal} on ${resource}/${role})`

/** A role of Tidegate itself has no login to hand out. */
const beginning = ({ resource }: GrantRow): string => (resource === 'tidegate' ? 'assume' : 'activate')

const pickOpen = ({ world, random }: Turn): GrantRow | undefined => {
  const all = [...world.sight.grants.values()]
  const open = all.filter(({ state }) => state === 'active' || state === 'provisioning')
  return random.pick(random.chance(0.8) && open.length > 0 ? open : all)
}

async function answer(turn: Turn, verdict: 'approve' | 'deny'): Promise<string | undefined> {
  const { world, random } = turn
  const pending = [...world.sight.requests.values()].filter(({ status }) => status === 'pending')
  const request = random.pick(random.chance(0.95) ? pending : [...world.sight.requests.values()])
  if (!request) return undefined
  const by = `user:${random.pick([...people, 'carol', 'dora', 'erin'])}`
  return operate(
    turn,
    `${verdict} ${request.id} by ${by}`,
    callAs(by, { method: 'POST', path: `/v1/requests/${request.id}/${verdict}`, body: {} }),
  )
}

async function setDown(world: World, name: string, down: boolean): Promise<string> {
  world.targets.named(name).down = down
  world.everDown ||= down
  return `${name} ${down ? 'is down' : 'is back'}`
}

/** @param seed of the history */
export function takeStep(world: World, step: Step): Promise<string | undefined> {
  const row: Row = stepTable[step.kind]
  return row.take({ world, step, random: world.random(`step ${step.salt}`) })
}

const kinds = Object.keys(stepTable) as StepKind[]

/** How many times as often as usual. */
export type Emphasis = Partial<Record<StepKind, number>>

/** The steps of a history. */
export function makeSteps(seed: string, { count, more = {} }: { count: number; more?: Emphasis }): Step[] {
  const weights = kinds.map((kind) => [kind, stepTable[kind].weight * (more[kind] ?? 1)] as const)
  const random = createRandom(`${seed} steps`)
  // Some histories are calm, some are wild: a fault at every turn would keep anything from ever succeeding.
  const wildness = random.pick([0, 0.05, 0.15, 0.35]) as number
  const pausing = random.pick([0, 0.3, 0.6]) as number
  return Array.from({ length: count }, (_, index) => ({
    kind: drawKind(random, weights),
    salt: String(index),
    process: random.below(processCount),
    faults: random.chance(wildness) ? [drawFault(random)] : [],
    ...(random.chance(pausing) && { burst: 1 + random.below(random.chance(0.5) ? 8 : 30) }),
  }))
}

/** Commits are where most is at stake: known or not, done or not. */
function drawFault(random: Random): Fault {
  const how = random.pick(faultKinds) as Fault['how']
  if (random.chance(0.3)) return { of: 'commits', at: 1 + random.below(2), how }
  return { of: 'points', at: 1 + random.below(random.chance(0.5) ? 16 : 40), how }
}

function drawKind(random: Random, weights: readonly (readonly [StepKind, number])[]): StepKind {
  let at = random.next() * weights.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [kind, weight] of weights) {
    at -= weight
    if (at < 0) return kind
  }
  return 'pass'
}
