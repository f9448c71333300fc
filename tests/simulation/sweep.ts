/** Each kind of work, struck by each fault at each thing that it sends: not a sample, but all of them, one at a time. */

import { formatInstant, instant } from '@tidegate/core'
import type { GrantId } from '@tidegate/core'
import { checkOf } from './history.ts'
import type { Process } from './process.ts'
import { settleDown } from './quiet.ts'
import type { Script } from './script.ts'
import { activate, extend, post, revoke, scriptOf } from './script.ts'
import type { Fault, FaultKind } from './strands.ts'
import type { Bench, Problem, World } from './world.ts'
import { applyBody, callAs, createWorld, lockoutBodies } from './world.ts'

type Work = (process: Process) => Promise<unknown>
/** Sets the scene, and says what is struck in it. */
type Scene = (script: Script, world: World) => Promise<Work>

const minute = 60_000

async function pending({ call }: Script, role = 'orders/write'): Promise<string> {
  const { body } = await call(post('user:alice', '/v1/requests', { role, duration: '10m', reason: 'swept' }))
  return String(body['id'])
}

async function opened({ call, permitted }: Script, role = 'orders/read'): Promise<string> {
  const grant = await permitted(role)
  await call(activate(grant))
  return grant
}

const answer = (by: string, request: string, verb = 'approve') => post(by, `/v1/requests/${request}/${verb}`)

/** A grant that two people let be, a minute before its end. */
async function waitingToBeExtended(script: Script, world: World): Promise<{ grant: string; extension: string }> {
  const request = await pending(script)
  await script.call(answer('user:erin', request))
  const { body } = await script.call(answer('user:dora', request))
  const grant = String(body['grant'])
  await script.call(activate(grant))
  await world.advance(9 * minute)
  const asked = await script.call(extend(grant))
  return { grant, extension: (asked.body['request'] as { id: string }).id }
}

const signal = (compliant: boolean) =>
  callAs('service:watch', {
    method: 'PUT',
    path: '/v1/signals',
    body: { name: 'device', subject: 'user:alice', value: { compliant, managed: true } },
  })

const breaking = (role: string) => post('user:alice', '/v1/break-glass', { role, duration: '10m', reason: 'swept' })

const apply = (variant: number) => post('user:dora', '/v1/config/apply', applyBody(variant))
const [nobodyWrites, elsewhere, noEngineers, takesTwo] = [2, 3, 4, 10]

export const scenes: Readonly<Record<string, Scene>> = {
  'a request that policy permits': async () => (process) =>
    process.call(post('user:alice', '/v1/requests', { role: 'orders/read', duration: '10m', reason: 'swept' })),
  'a request for later that takes people': async (_script, world) => (process) =>
    process.call(
      post('user:alice', '/v1/requests', {
        role: 'orders/write',
        duration: '10m',
        reason: 'swept',
        startAt: formatInstant(instant(world.now + minute)),
      }),
    ),
  'the last of two approvals': async (script) => {
    const request = await pending(script)
    await script.call(answer('user:erin', request))
    return (process) => process.call(answer('user:dora', request))
  },
  'a refusal': async (script) => {
    const request = await pending(script)
    return (process) => process.call(answer('user:dora', request, 'deny'))
  },
  'a request that is taken back': async (script) => {
    const request = await pending(script)
    return (process) => process.call(answer('user:alice', request, 'cancel'))
  },
  'an activation': async (script) => {
    const grant = await script.permitted('orders/read')
    return (process) => process.call(activate(grant))
  },
  'an activation of a grant that is open already': async (script) => {
    const grant = await opened(script)
    return (process) => process.call(activate(grant))
  },
  'an activation whose target is down': async (script, world) => {
    const grant = await script.permitted('orders/read')
    world.targets.named('orders').down = true
    return (process) => process.call(activate(grant))
  },
  'an activation whose target is down and is waited for': async (script, world) => {
    const grant = await script.permitted('ledger/read')
    world.targets.named('ledger').down = true
    return (process) => process.call(activate(grant))
  },
  'asking and opening in one': async () => (process) =>
    process.call(post('user:alice', '/v1/access', { role: 'orders/read', duration: '10m', reason: 'swept' })),
  'an extension': async (script, world) => {
    const grant = await opened(script)
    await world.advance(9 * minute)
    return (process) => process.call(extend(grant))
  },
  'an extension whose target is down': async (script, world) => {
    const grant = await opened(script)
    await world.advance(9 * minute)
    world.targets.named('orders').down = true
    return (process) => process.call(extend(grant))
  },
  'the last of two answers to an extension': async (script, world) => {
    const { extension } = await waitingToBeExtended(script, world)
    await script.call(answer('user:erin', extension))
    return (process) => process.call(answer('user:dora', extension))
  },
  'a revoke of a grant that waits to be extended': async (script, world) => {
    const { grant } = await waitingToBeExtended(script, world)
    return (process) => process.call(revoke(grant))
  },
  'a revoke': async (script) => {
    const grant = await opened(script)
    return (process) => process.call(revoke(grant))
  },
  'a signal that ends what is open': async (script) => {
    await opened(script)
    return (process) => process.call(signal(false))
  },
  'a configuration that takes access away': async (script) => {
    await opened(script)
    return (process) => process.call(apply(noEngineers))
  },
  'a configuration that moves a target': async (script) => {
    await opened(script, 'ledger/read')
    return (process) => process.call(apply(elsewhere))
  },
  'a configuration that is refused': async () => (process) =>
    process.call(post('user:dora', '/v1/config/apply', lockoutBodies[0] ?? {})),
  'a change that a second person lets through': async (script) => {
    await script.call(apply(takesTwo))
    const { body } = await script.call(apply(nobodyWrites))
    return (process) => process.call(post('user:erin', `/v1/changes/${String(body['id'])}/approve`))
  },
  'the closing of two overlapping grants': async (script, world) => {
    await opened(script)
    await opened(script)
    await opened(script, 'ledger/read')
    await world.advance(10 * minute)
    return (process) => process.drain()
  },
  'a closing whose target is down': async (script, world) => {
    await script.call(revoke(await opened(script)))
    world.targets.named('orders').down = true
    return (process) => process.drain()
  },
  'a pass over what was never used': async (script, world) => {
    await pending(script)
    await script.permitted('orders/read')
    await world.advance(180 * minute)
    return (process) => process.drain()
  },
  'a tending that finds an orphan': async (script, world) => {
    await opened(script)
    const grant: GrantId = `grt_${'0'.repeat(26)}`
    const { memory, excused, everOrphan } = world.targets.named('orders')
    memory.logins.set(grant, {
      role: 'read',
      secret: 'made-by-hand',
      expiresAt: instant(world.now + 600 * minute),
      shut: false,
    })
    excused.set(grant, 'it was made by hand')
    everOrphan.add(grant)
    return (process) => process.tend('orders')
  },
  'asking again': async (script, world) => {
    await opened(script)
    await script.call(apply(noEngineers), { faults: [{ of: 'commits', at: 1, how: 'crash-after' }] })
    await world.advance(minute)
    return (process) => process.reask()
  },
  'breaking glass': async () => (process) => process.call(breaking('orders/admin')),
  'breaking glass for a target that is down and is waited for': async (_script, world) => {
    world.targets.named('ledger').down = true
    return (process) => process.call(breaking('ledger/write'))
  },
  'breaking glass for Tidegate itself': async () => (process) => process.call(breaking('tidegate/owner')),
  'a review that is closed': async ({ call }) => {
    const { body } = await call(breaking('orders/admin'))
    const { id } = body['review'] as { id: string }
    return (process) => process.call(post('user:erin', `/v1/reviews/${id}/close`, { comment: 'swept' }))
  },
  'a role of Tidegate that is assumed': async ({ permitted }) => {
    const grant = await permitted('tidegate/auditor')
    return (process) => process.call(post('user:alice', `/v1/grants/${grant}/assume`))
  },
  'the integration of entries': async (script) => {
    await opened(script)
    return (process) => process.integrate()
  },
  housekeeping: async (script, world) => {
    await script.call(signal(true))
    await script.call({
      ...post('user:alice', '/v1/requests', { role: 'orders/read', duration: '10m', reason: 'k' }),
      key: 'k',
    })
    await world.advance(9 * 24 * 60 * minute)
    return (process) => process.tidy()
  },
}

export type Swept = { readonly fault: Fault; readonly problems: readonly Problem[] }

type Sweep = {
  readonly scene: string
  readonly how: FaultKind
  /** The first to be struck, counted from 1. */
  readonly from?: number
  readonly every?: number
}

/** At one thing that it sends after the other, until it sends no more. @returns one for each strike */
export async function sweep(bench: Bench, { scene, how, from = 1, every = 1 }: Sweep): Promise<readonly Swept[]> {
  const all: Swept[] = []
  for (let at = from; ; at += every) {
    const fault: Fault = { of: 'points', at, how }
    const { struck, problems } = await strike(bench, scene, fault)
    if (!struck) return all
    all.push({ fault, problems })
  }
}

async function strike(
  bench: Bench,
  scene: string,
  fault: Fault,
): Promise<{ readonly struck: boolean; readonly problems: readonly Problem[] }> {
  const world = await createWorld(bench, { seed: scene })
  world.skews.fill(0)
  const script = scriptOf(world)
  const work = await (scenes[scene] as Scene)(script, world)
  const check = checkOf(world)
  // What the scene is before it is struck: some of what must hold is about how things change.
  await check()
  const strand = await script.begin(work, { faults: [fault] })
  await world.scheduler.run(strand)
  const struck = strand.passed >= fault.at
  await check()
  if (struck && world.problems.length === 0) await settleDown(world, check, { rounds: 2, after: 0 })
  return { struck, problems: world.problems }
}
