/** What the simulation has found, each as the shortest history that showed it. */

import type { GrantId } from '@tidegate/core'
import { formatInstant, instant } from '@tidegate/core'
import { beforeEach, expect, test } from 'vitest'
import { benchForTests } from './bench-for-tests.ts'
import { variants } from './configuration.ts'
import type { Script } from './script.ts'
import { activate, post, revoke, scriptOf, strikeNext } from './script.ts'
import type { Fault, Strand } from './strands.ts'
import type { World } from './world.ts'
import { applyBody, callAs, createWorld } from './world.ts'

const bench = benchForTests()
let world: World
let { begin, beginCall, call, drain, finish, permitted, until } = {} as Script

beforeEach(async () => {
  world = await createWorld(bench(), { seed: 'found' })
  world.skews.fill(0)
  ;({ begin, beginCall, call, drain, finish, permitted, until } = scriptOf(world))
})

const stateOf = async (grant: string): Promise<string | undefined> => {
  await world.look()
  return world.sight.grants.get(grant)?.state
}

const glassFor = (role: string): object => ({ role, duration: '10m', reason: 'found' })
const forTidegateAlone = variants.findIndex(({ glassRoles }) => glassRoles?.length === 1)

const loginsOn = (target: string): GrantId[] => [...world.targets.named(target).memory.logins.keys()]

test('a grant that was ended and closed before its opener has its turn is not opened any more', async () => {
  const grant = await permitted('orders/read')
  const opener = await beginCall(activate(grant), { process: 0 })
  await until(opener, 'pg_try_advisory_xact_lock')
  expect((await call(revoke(grant), { process: 1 })).status).toBe(200)
  await drain(1)
  expect(await stateOf(grant)).toBe('ended')
  expect(await finish(opener)).toMatchObject({ status: 409, body: { code: 'grant-ended' } })
  expect(loginsOn('orders')).toEqual([])
})

test('an opener that comes late does not replace the secret that a later one has handed out', async () => {
  const grant = await permitted('ledger/read')
  const late = await beginCall(activate(grant), { process: 0 })
  await until(late, 'pg_try_advisory_xact_lock')
  expect((await call(activate(grant), { process: 1 })).status).toBe(200)
  const before = world.targets.named('ledger').memory.logins.get(grant as GrantId)
  expect(await finish(late)).toMatchObject({ status: 409, body: { code: 'grant-busy' } })
  expect(world.targets.named('ledger').memory.logins.get(grant as GrantId)).toBe(before)
})

test('a grant is not opened again where its resource points to now, while its login is where it pointed before', async () => {
  const grant = await permitted('ledger/read')
  await call(activate(grant))
  expect(loginsOn('ledger')).toEqual([grant])
  const elsewhere = 3
  // The process dies once the configuration is in force, and before it has asked again about what is open.
  await call(post('user:dora', '/v1/config/apply', applyBody(elsewhere)), {
    process: 1,
    faults: [{ of: 'commits', at: 1, how: 'crash-after' }],
  })
  expect(await call(activate(grant))).toMatchObject({ status: 409, body: { code: 'policy-refuses' } })
  await finish(await begin((process) => process.reask()))
  await drain()
  expect(await stateOf(grant)).toBe('ended')
  expect([...loginsOn('ledger'), ...loginsOn('ledger-b')]).toEqual([])
})

test('what was had by breaking glass is not opened again once its holder is registered no more', async () => {
  const { body } = await call(post('user:alice', '/v1/break-glass', glassFor('orders/admin')))
  const grant = (body['grant'] as { id: string }).id
  // The process dies once the configuration is in force, and before it has asked again about what is open.
  await call(post('user:dora', '/v1/config/apply', applyBody(forTidegateAlone)), {
    process: 1,
    faults: [{ of: 'commits', at: 1, how: 'crash-after' }],
  })
  expect(await call(activate(grant))).toMatchObject({ status: 409, body: { code: 'policy-refuses' } })
  await finish(await begin((process) => process.reask()))
  await drain()
  expect(await stateOf(grant)).toBe('ended')
  expect(loginsOn('orders')).toEqual([])
})

test('glass is broken by one configuration as a whole, also where the next one comes into force meanwhile', async () => {
  const breaking = await beginCall(post('user:bob', '/v1/break-glass', glassFor('ledger/write')))
  await until(breaking, 'from break_glass_review')
  await call(post('user:dora', '/v1/config/apply', applyBody(forTidegateAlone)), { process: 1 })
  expect(await finish(breaking)).toMatchObject({ status: 200 })
  await world.look()
  const versions = [...world.sight.decisions.values()].map(({ policy_version }) => world.variantOfHash(policy_version))
  expect(versions).toEqual([0])
  await finish(await begin((process) => process.reask()))
  await drain()
  expect([...world.sight.grants.keys()]).toHaveLength(1)
  expect([...loginsOn('ledger'), ...loginsOn('ledger-b')]).toEqual([])
})

test('glass is not broken by a fact that changes while it is, and that is no fault of ours', async () => {
  const bad = { name: 'device', subject: 'user:alice', value: { compliant: false, managed: true } }
  const breaking = await beginCall(post('user:alice', '/v1/break-glass', glassFor('orders/admin')))
  await until(breaking, 'from break_glass_review')
  // Asked for asking, asked for opening, and then asked to be filed: it comes before the last.
  for (const _ of [1, 2]) await until(breaking, 'from signal').then(() => world.scheduler.run(breaking, 1))
  await call(callAs('service:watch', { method: 'PUT', path: '/v1/signals', body: bad }), { process: 1 })
  expect(await finish(breaking)).toMatchObject({ status: 403, body: { code: 'break-glass-refused' } })
  expect(loginsOn('orders')).toEqual([])
})

test('a use of break-glass is reviewed through a server whose clock is behind', async () => {
  world.skews[1] = -2_000
  const { body } = await call(post('user:alice', '/v1/break-glass', glassFor('orders/admin')))
  const { id } = body['review'] as { id: string }
  const closing = post('user:erin', `/v1/reviews/${id}/close`, { comment: 'Fits the incident' })
  expect(await call(closing, { process: 1 })).toMatchObject({ status: 200, body: { closedBy: 'user:erin' } })
})

test('what two servers find at once is one finding, and one entry', async () => {
  const { body } = await call(post('user:alice', '/v1/break-glass', glassFor('orders/admin')))
  const { dueAt } = body['review'] as { dueAt: string }
  await world.advance(Date.parse(dueAt) - world.now)
  const first = await begin((process) => process.drain())
  await until(first, 'insert into finding')
  await drain(1)
  await finish(first)
  await world.look()
  const told = world.sight.entries.filter(({ type, kind }) => type === 'finding.opened' && kind === 'review-overdue')
  expect(told).toHaveLength(1)
})

test('a scheduled grant is activated at its start, before anyone has made it ready', async () => {
  const startAt = formatInstant(instant(world.now + 60_000))
  const grant = await permitted('orders/read', { startAt })
  expect(await stateOf(grant)).toBe('scheduled')
  await world.advance(60_000)
  expect(await call(activate(grant))).toMatchObject({ status: 200, body: { grant: { state: 'active' } } })
})

test('as many revokes at once as the server has connections do not wait for each other for ever', async () => {
  const grant = await permitted('orders/read')
  await call(activate(grant))
  const revokes: Strand[] = []
  for (let count = 0; count < 6; count++) {
    const strand = await beginCall(revoke(grant))
    // Each has its connection; those that come after them wait for one.
    if (strand.waiting.length > 0) await until(strand, 'begin')
    revokes.push(strand)
  }
  for (let round = 0; round < 10; round++) for (const strand of revokes) await world.scheduler.run(strand)
  expect(revokes.map(({ outcome }) => outcome)).toMatchObject(
    revokes.map(() => ({ kind: 'value', value: { status: 200 } })),
  )
})

test('a statement that fails while others are under way is the reason that is told', async () => {
  const faults: Fault[] = []
  const body = { role: 'orders/read', duration: '10m', reason: 'found' }
  const strand = await beginCall({ ...post('user:alice', '/v1/requests', body), key: 'found' }, { faults })
  await until(strand, 'insert into decision')
  strikeNext(faults, strand, 'refused')
  expect(await finish(strand)).toMatchObject({ status: 503, body: { code: 'unavailable' } })
})

test('a tending whose statement failed says so, and does not go on in a transaction that records nothing', async () => {
  const faults: Fault[] = []
  const strand = await begin((process) => process.tend('orders'), { faults })
  await until(strand, 'from access_grant')
  strikeNext(faults, strand, 'refused')
  await expect(finish(strand)).rejects.toMatchObject({ code: '53100' })
})
