/**
 * The end of a history: no faults any more, everything under way comes to its end, and everything that is due is seen
 * to. What may be out of order for a while must be in order now.
 */

import { verifyLog } from '@tidegate/audit'
import type { GrantId } from '@tidegate/core'
import { publishedLog } from '../../packages/server/src/log/published.ts'
import type { Full } from './configuration.ts'
import { adminMinutes, administrationMinutes, breaksGlass, fullVariant, glassMinutes } from './configuration.ts'
import { isOfGlass } from './glass.ts'
import { mayBeOn } from './judge.ts'
import type { GrantRow } from './look.ts'
import type { Process } from './process.ts'
import { secretsInStore } from './secrets.ts'
import type { World } from './world.ts'

const days = 86_400_000

type Settling = {
  /** Each of a minute in which everything is seen to. */
  readonly rounds: number
  /** How long it is looked at afterwards. */
  readonly after: number
}

/** Three rounds: past the longest wait between two attempts, and past what an interrupted opening is given. */
const thoroughly: Settling = { rounds: 3, after: 3 * days }

/** @param check what is done after each step of a history */
export async function settleDown(world: World, check: () => Promise<void>, settling = thoroughly): Promise<void> {
  world.calm = true
  for (const target of world.targets.all()) target.down = false
  while ((await world.landGhosts(1)) > 0) await check()
  await finishAll(world, check)
  for (let round = 0; round < settling.rounds; round++) await seeToEverything(world, 61_000, check)
  inOrder(world)
  policyHolds(world)
  await logHolds(world)
  for (const what of await secretsInStore(world)) world.fail('secrets-stay-out', what)
  if (world.problems.length > 0 || settling.after === 0) return
  // Whatever has an end has come to it.
  await seeToEverything(world, settling.after, check)
  await seeToEverything(world, 61_000, check)
  nothingLeft(world)
  await logHolds(world)
}

async function finishAll(world: World, check: () => Promise<void>): Promise<void> {
  for (let before = ''; world.scheduler.live().length > 0;) {
    for (const strand of world.scheduler.live()) {
      await world.scheduler.run(strand)
      await check()
    }
    const left = world.scheduler.live()
    const now = left.map(({ number, passed }) => `${number}:${passed}`).join(' ')
    if (now === before) {
      for (const { name, queued } of left)
        world.fail('everything-ends', `${name} waits for ever${queued > 0 ? ' for a connection' : ' for a lock'}`)
      return
    }
    before = now
  }
}

async function seeToEverything(world: World, ms: number, check: () => Promise<void>): Promise<void> {
  await world.advance(ms)
  for (const number of world.processes.keys()) {
    await run(world, number, 'pass', (process) => process.drain())
    await check()
  }
  await run(world, 0, 'reask', (process) => process.reask())
  await run(world, 0, 'pass', (process) => process.drain())
  for (const resource of ['orders', 'ledger'])
    await run(world, 0, `tend ${resource}`, (process) => process.tend(resource))
  await run(world, 0, 'integrate', (process) => process.integrate())
  await check()
}

async function run(
  world: World,
  process: number,
  name: string,
  work: (process: Process) => Promise<unknown>,
): Promise<void> {
  const strand = await world.begin(
    {
      name,
      process,
      faults: [],
      random: world.random(`quiet ${world.now} ${name} ${process}`),
      done(outcome) {
        if (outcome.kind === 'error')
          world.fail('nothing-unexpected', `${name} failed in quiet: ${String(outcome.error)}`)
      },
    },
    work,
  )
  await world.scheduler.run(strand)
  if (!strand.outcome) world.fail('everything-ends', `${name} came to no end in quiet`)
}

function inOrder(world: World): void {
  const { grants, requests, findings, tending } = world.sight
  const fail = (what: string): void => world.fail('quiet-everything-in-order', what)
  const latest = Math.max(...world.skews) + world.now
  const earliest = Math.min(...world.skews) + world.now
  for (const grant of grants.values()) {
    if (grant.state === 'ending' || grant.state === 'provisioning') fail(`${grant.id} is still ${grant.state}`)
    if (grant.state === 'active' && (grant.expires_at ?? 0) <= earliest) fail(`${grant.id} is active after its end`)
    if (grant.due_at !== null && grant.due_at <= earliest) fail(`${grant.id} (${grant.state}) is overdue`)
    const hasLogin = grant.resource !== 'tidegate' && grant.state === 'active'
    if (hasLogin && (grant.expires_at ?? 0) > latest) hasItsLogin(world, grant)
  }
  for (const { id, status, pending_until } of requests.values())
    if (status === 'pending' && pending_until <= earliest) fail(`${id} is pending after its time`)
  for (const { resource, due_at } of tending) if (due_at <= earliest) fail(`${resource} is overdue to be tended`)
  for (const target of world.targets.all()) {
    const tended = inForce(world).has(target.name)
    for (const grant of target.memory.logins.keys())
      if (tended && !mayBeOn(grants.get(grant)))
        fail(`${grant} is on ${target.name} and is ${grants.get(grant)?.state ?? 'not there'}`)
  }
  for (const { kind, subject, closed_at } of findings) if (closed_at === null) staleFinding(world, kind, subject)
  for (const { id, due_at, closed_at } of world.sight.reviews)
    if (closed_at === null && due_at <= earliest && !isToldAsOverdue(world, id))
      world.fail('quiet-findings-are-so', `the review ${id} is overdue, and nobody was told`)
}

const isToldAsOverdue = ({ sight }: World, id: string): boolean =>
  sight.findings.some(
    ({ kind, subject, closed_at }) => kind === 'review-overdue' && subject === `review:${id}` && closed_at === null,
  )

/** Names of the targets that a resource of the configuration in force is on. */
const inForce = (world: World): Set<string> =>
  new Set(['orders', 'ledger'].flatMap((resource) => world.targetOf(resource, world.version())?.name ?? []))

function hasItsLogin(world: World, { id, resource, role, configuration, expires_at }: GrantRow): void {
  const target = world.targetOf(resource, configuration ?? 0)
  const login = target?.memory.logins.get(id as GrantId)
  const missing = world.sight.findings.some(
    ({ kind, subject, closed_at }) => kind === 'login-missing' && subject === `grant:${id}` && closed_at === null,
  )
  const fail = (what: string): void => world.fail('quiet-targets-give-what-grants-say', what)
  if (!login && !target?.removed.has(id as GrantId)) return fail(`${id} is active and has no login on ${target?.name}`)
  if (!login && !missing) return fail(`the login of ${id} was removed, and nobody was told`)
  if (login && (login.role !== role || login.shut))
    fail(`the login of ${id} on ${target?.name} is not as its grant says`)
  if (login && missing) fail(`the login of ${id} is there, and is said to be missing`)
  if (login && login.expiresAt !== expires_at)
    fail(`the login of ${id} lasts ${login.expiresAt > (expires_at ?? 0) ? 'longer' : 'less long'} than its grant`)
}

/** A finding says that something is so: it is open only while it is. What was an orphan waits for a human. */
function staleFinding(world: World, kind: string, subject: string): void {
  const grant = world.sight.grants.get(subject.slice('grant:'.length))
  const review = world.sight.reviews.find(({ id }) => subject === `review:${id}`)
  const stale =
    kind === 'close-failing'
      ? grant?.state !== 'ending'
      : kind === 'login-missing'
        ? grant?.state !== 'active'
        : kind === 'review-overdue'
          ? review?.closed_at !== null
          : kind === 'target-untended'
  if (stale) world.fail('quiet-findings-are-so', `${kind} of ${subject} is open, and it is no longer so`)
}

/** What policy says now holds for every grant that is open, now that all of them were asked about again. */
function policyHolds(world: World): void {
  const variant = fullVariant(world.variantOf(world.version()))
  const fail = (what: string): void => world.fail('quiet-policy-holds', what)
  for (const grant of world.sight.grants.values()) {
    const { id, state, principal, resource, role, activated_at, extended_at, expires_at } = grant
    if (state !== 'active') continue
    for (const fact of factsAgainst(world, grant)) fail(`${id} is active, and ${fact}`)
    const member = principal.startsWith('user:') ? principal.slice('user:'.length) : principal
    const behind = principal === 'agent:helper' ? ['alice', principal] : [member]
    const glass = isOfGlass(world.sight, grant)
    if (glass && (variant.noGlass || !breaksGlass(variant, member, `${resource}/${role}`)))
      fail(`${id} is active, and ${principal} breaks no glass for ${resource}/${role}`)
    if (!glass && !behind.every((one) => variant.engineers.includes(one)))
      fail(`${id} is active, and ${principal} is no engineer`)
    if (!glass && resource === 'tidegate' && variant.noAdministering)
      fail(`${id} is active, and nobody is given a role of Tidegate`)
    if (resource === 'ledger' && variant.ledger === undefined) fail(`${id} is active, and there is no ledger`)
    if (resource === 'orders' && !variant.ordersRoles.includes(role)) fail(`${id} is active, and orders has no ${role}`)
    if (!glass && role === 'write' && variant.noWriting) fail(`${id} is active, and nobody may write`)
    const most = minutesFor(variant, role, glass)
    const lasts = (expires_at ?? 0) - (extended_at ?? activated_at ?? 0)
    if (lasts > most * 60_000) fail(`${id} lasts ${lasts} ms, and ${role} is given for ${most} minutes`)
  }
}

function minutesFor({ readMinutes, writeMinutes }: Full, role: string, glass: boolean): number {
  const usual = { read: readMinutes, write: writeMinutes, admin: adminMinutes, ...administrationMinutes }[role] ?? 0
  return glass && administrationMinutes[role] === undefined ? glassMinutes : usual
}

/** By the clock of the process that asked again last. What has gone stale counts as not known. */
function factsAgainst(world: World, grant: GrantRow): string[] {
  const { principal, role, request, extension } = grant
  const known = (kind: string, about: string) =>
    world.sight.signals.find(
      ({ name, subject, stale_at }) => name === kind && subject === about && world.clock(0) < stale_at,
    )?.value
  const devices = principal === 'agent:helper' ? [principal, 'user:alice'] : [principal]
  const bad = devices
    .filter((one) => known('device', one)?.['compliant'] === false)
    .map((one) => `the device of ${one} is bad`)
  const ticket = world.sight.requests.get(extension ?? request)?.ticket ?? 'none'
  const takesTicket = role === 'admin' && !isOfGlass(world.sight, grant)
  const closed = takesTicket && known('ticket', `ticket:${ticket}`)?.['open'] !== true
  return closed ? [...bad, `its ticket ${ticket} is not known to be open`] : bad
}

function nothingLeft(world: World): void {
  const fail = (what: string): void => world.fail('quiet-nothing-stays-open', what)
  for (const { id, state } of world.sight.grants.values())
    if (state !== 'ended') fail(`${id} is ${state} after three days`)
  for (const { id, status } of world.sight.requests.values())
    if (status === 'pending') fail(`${id} is pending after three days`)
  for (const { name, memory } of world.targets.all().filter(({ name }) => inForce(world).has(name))) {
    for (const grant of memory.logins.keys()) fail(`${grant} is on ${name} after three days`)
    for (const { grant } of memory.sessions) fail(`a session of ${grant} goes on on ${name} after three days`)
  }
}

async function logHolds(world: World): Promise<void> {
  const fail = (what: string): void => world.fail('the-log-verifies', what)
  if (world.sight.unplaced > 0) fail(`${world.sight.unplaced} entries are not in the log`)
  const source = publishedLog(world.store.adminDb)
  for (const [size, earlier] of [...world.told.checkpoints].slice(-4)) {
    const verdict = await verifyLog({ source, vkey: world.signer.vkey, earlier })
    if (!verdict.ok) return fail(`held against its checkpoint of ${size}: ${verdict.reason}: ${verdict.detail}`)
    if (verdict.size !== world.sight.entries.length)
      fail(`it has ${verdict.size} entries, and there are ${world.sight.entries.length}`)
  }
}
