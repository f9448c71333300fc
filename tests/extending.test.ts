/** A grant that is open ends later, because its holder asked anew and was permitted; and in no other way. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Credential } from './support/access.ts'
import { logIn, loginsOn, onTarget, opened, outcomeOf, permitted } from './support/access.ts'
import { applyEdited } from './support/edit.ts'
import { startProxyForTest } from './support/proxy.ts'
import { clusterOf } from './support/databases.ts'
import { entriesOf, entryTypesOf, inStore } from './support/story.ts'
import { createWorld, createWorldForTest } from './support/tidegate.ts'
import type { World } from './support/tidegate.ts'

const minutes = (count: number): number => count * 60_000
const inMs = (text: string | undefined): number => Date.parse(text ?? '')

let world: Awaited<ReturnType<typeof createWorld>>
beforeAll(async () => void (world = await createWorld()))
afterAll(() => world.stop())

const extend = (id: string, duration: string, by = world.as('alice')) =>
  by.extendGrant({ id, duration, reason: 'Not done with order 7' })

/** Until when the target itself lets the login in. */
async function validUntil({ target }: Pick<World, 'target'>, { user }: Pick<Credential, 'user'>): Promise<number> {
  const [row] = await onTarget(target, 'select rolvaliduntil as until from pg_roles where rolname = $1', [user])
  return Number(row?.['until'])
}

/** Of a role that two people have a say in: approved by one of them. */
async function openedWriter({ as }: World, duration = '30m') {
  const asked = await as('alice').createRequest({ role: 'orders-db/writer', duration, reason: 'Fix order 7' })
  const { grant } = await as('carol').approveRequest({ id: asked.id })
  return as('alice').activateGrant({ id: grant ?? '' })
}

describe('a permitted extension', () => {
  test('keeps the session past the first end, and cuts it at the very instant of the second', async () => {
    const { grant, credential } = await opened(world.as('alice'), { duration: '10m' })
    const session = await logIn(credential)
    world.clock.advance(minutes(9))
    const { request, grant: longer, targetKnows } = await extend(grant.id, '20m')
    const end = world.clock.now() + minutes(20)
    expect(request).toMatchObject({ status: 'approved', extends: grant.id, grant: grant.id, durationSeconds: 1_200 })
    expect(longer).toMatchObject({ state: 'active', request: grant.request, activatedAt: grant.activatedAt })
    expect(longer.extension).toEqual({ request: request.id, at: new Date(world.clock.now()).toISOString() })
    expect([inMs(longer.expiresAt), targetKnows]).toEqual([end, true])

    world.clock.set(inMs(grant.expiresAt))
    await world.server.drain()
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    world.clock.set(end - 1)
    await world.server.drain()
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    world.clock.advance(1)
    await world.server.drain()
    await session.cut
    expect(await world.as('alice').getGrant({ id: grant.id })).toMatchObject({
      state: 'ended',
      end: { reason: 'expired', at: longer.expiresAt },
    })
    expect(await loginsOn(world.target)).toEqual([])
  })

  test('is known to the target when it is answered, and the credential stays what it is', async () => {
    const { grant, credential } = await opened(world.as('alice'), { duration: '10m' })
    const { grant: longer } = await extend(grant.id, '2h')
    expect(await validUntil(world, credential)).toBe(inMs(longer.expiresAt))
    const session = await logIn(credential)
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await world.as('alice').endGrant({ id: grant.id })
    await world.server.drain()
  })

  test('leaves a decision and an entry of its own, under the request that asked for it', async () => {
    const { grant } = await opened(world.as('alice'), { duration: '10m' })
    const { request } = await extend(grant.id, '20m')
    const types = await entryTypesOf(world.admin, { request: request.id })
    expect(types).toEqual(['request.filed', 'request.approved', 'grant.extended'])
    const entry = (await entriesOf(world.admin, { grant: grant.id })).find(({ type }) => type === 'grant.extended')
    expect(entry).toMatchObject({ entry: { decision: request.decision.id, outcome: 'permit', durationSeconds: 1_200 } })
    await world.as('alice').endGrant({ id: grant.id })
  })

  test('may be asked for again and again, each time by a request', async () => {
    const { grant } = await opened(world.as('alice'), { duration: '10m' })
    const requests = new Set<string>()
    for (let count = 0; count < 3; count++) {
      world.clock.advance(minutes(5))
      const { request, grant: longer } = await extend(grant.id, '10m')
      requests.add(request.id)
      expect(inMs(longer.expiresAt)).toBe(world.clock.now() + minutes(10))
    }
    expect(requests.size).toBe(3)
    await world.as('alice').endGrant({ id: grant.id })
  })

  test('is done once for a key, however often it is sent', async () => {
    const { grant } = await opened(world.as('alice'), { duration: '10m' })
    const wish = { id: grant.id, duration: '20m', reason: 'Not done' }
    const first = await world.as('alice').extendGrant(wish, { idempotencyKey: 'stay' })
    world.clock.advance(minutes(1))
    const second = await world.as('alice').extendGrant(wish, { idempotencyKey: 'stay' })
    expect(second).toEqual(first)
    await world.as('alice').endGrant({ id: grant.id })
  })

  test('is asked about with the ticket and the task of before, where none is named', async () => {
    const { grant } = await opened(world.as('alice'), { duration: '10m', ticket: 'OPS-7' })
    expect((await extend(grant.id, '20m')).request.ticket).toBe('OPS-7')
    const other = await world
      .as('alice')
      .extendGrant({ id: grant.id, duration: '30m', reason: 'More', ticket: 'OPS-8' })
    expect(other.request.ticket).toBe('OPS-8')
    expect((await extend(grant.id, '40m')).request.ticket).toBe('OPS-8')
    await world.as('alice').endGrant({ id: grant.id })
  })
})

describe('nothing is extended', () => {
  test('that lasts that long already: the field is named, and what to ask for', async () => {
    const { grant } = await opened(world.as('alice'), { duration: '1h' })
    await expect(extend(grant.id, '1h')).rejects.toMatchObject({
      code: 'invalid-input',
      details: { problems: [{ field: 'duration', remedy: 'Ask for more than 1h: an extension counts from now.' }] },
    })
    await world.as('alice').endGrant({ id: grant.id })
  })

  test('by anyone but its holder, owners and administrators included', async () => {
    const { grant } = await opened(world.as('alice'), { duration: '10m' })
    for (const by of [world.as('bob'), world.as('dora'), world.admin])
      expect(await outcomeOf(extend(grant.id, '20m', by))).toBe('not-found')
    expect(await outcomeOf(extend('grt_00000000000000000000000000', '20m'))).toBe('not-found')
    expect((await world.as('alice').getGrant({ id: grant.id })).expiresAt).toBe(grant.expiresAt)
    await world.as('alice').endGrant({ id: grant.id })
  })

  test('that has not started, or is over, also before anyone has seen to that', async () => {
    const ready = await permitted(world.as('alice'))
    expect(await outcomeOf(extend(ready, '20m'))).toBe('grant-not-started')
    const { grant } = await opened(world.as('alice'), { duration: '10m' })
    world.clock.set(inMs(grant.expiresAt))
    expect(await outcomeOf(extend(grant.id, '20m'))).toBe('grant-ended')
    await world.server.drain()
    expect(await outcomeOf(extend(grant.id, '20m'))).toBe('grant-ended')
  })

  test('that policy refuses now: the answer is a request like any other, and the end stays', async () => {
    const { grant, credential } = await opened(world.as('alice'), { duration: '10m' })
    const { request, grant: same, targetKnows } = await extend(grant.id, '9h')
    expect(request).toMatchObject({ status: 'denied', decision: { outcome: 'deny', cause: 'too-long' } })
    expect([same.expiresAt, same.extension, targetKnows]).toEqual([grant.expiresAt, undefined, undefined])
    expect(await validUntil(world, credential)).toBe(inMs(grant.expiresAt))
    await world.as('alice').endGrant({ id: grant.id })
  })
})

describe('an extension that takes people', () => {
  test('waits no longer than the grant lasts, and moves its end when they have answered', async () => {
    const { grant, credential } = await openedWriter(world)
    const { request } = await extend(grant.id, '1h')
    expect(request).toMatchObject({ status: 'pending', pendingUntil: grant.expiresAt, waitingFor: ['team-leads'] })
    expect(await outcomeOf(world.as('alice').approveRequest({ id: request.id }))).toBe('own-request')
    world.clock.advance(minutes(20))
    const approved = await world.as('dora').approveRequest({ id: request.id })
    expect(approved).toMatchObject({ status: 'approved', grant: grant.id })
    const longer = await world.as('alice').getGrant({ id: grant.id })
    expect(inMs(longer.expiresAt)).toBe(world.clock.now() + minutes(60))
    await world.server.drain()
    expect(await validUntil(world, credential)).toBe(inMs(longer.expiresAt))
    expect(await entryTypesOf(world.admin, { grant: grant.id })).toContain('login.extended')
    const { items } = await world.admin.whoHadAccess({ resource: 'orders-db' })
    expect(items.find((one) => one.grant === grant.id)?.approvers).toEqual(['user:carol', 'user:dora'])
    await world.as('alice').endGrant({ id: grant.id })
  })

  test('is over with the grant, whoever ends that, and nobody is asked any more', async () => {
    const { grant } = await openedWriter(world)
    const { request } = await extend(grant.id, '1h')
    await world.as('alice').endGrant({ id: grant.id })
    expect((await world.as('alice').getRequest({ id: request.id })).status).toBe('expired')
    expect(await outcomeOf(world.as('dora').approveRequest({ id: request.id }))).toBe('request-settled')
    expect((await world.as('alice').getGrant({ id: grant.id })).expiresAt).toBe(grant.expiresAt)
  })

  test('comes too late at the grant’s end, before anyone has seen to that and after', async () => {
    const { grant } = await openedWriter(world)
    const { request } = await extend(grant.id, '1h')
    world.clock.set(inMs(grant.expiresAt))
    expect(await outcomeOf(world.as('dora').approveRequest({ id: request.id }))).toBe('request-settled')
    await world.server.drain()
    expect((await world.as('alice').getRequest({ id: request.id })).status).toBe('expired')
    expect(await outcomeOf(world.as('dora').approveRequest({ id: request.id }))).toBe('request-settled')
    expect((await world.as('alice').getGrant({ id: grant.id })).end?.reason).toBe('expired')
  })

  test('that is denied leaves the grant its first end', async () => {
    const { grant } = await openedWriter(world)
    const { request } = await extend(grant.id, '1h')
    await world.as('dora').denyRequest({ id: request.id, comment: 'Enough' })
    expect((await world.as('alice').getGrant({ id: grant.id })).expiresAt).toBe(grant.expiresAt)
    await world.as('alice').endGrant({ id: grant.id })
  })
})

describe('after an extension', () => {
  const device = (own: World, compliant: boolean) =>
    own.as('device-manager').putSignal({ name: 'device', subject: 'user:alice', value: { compliant, managed: true } })

  test('the question is asked again for what the grant rests on now, and does not make it shorter', async () => {
    const own = await createWorldForTest()
    const { grant } = await opened(own.as('alice'), { duration: '10m' })
    own.clock.advance(minutes(9))
    const { grant: longer } = await extend(grant.id, '8h', own.as('alice'))
    expect(await device(own, true)).toMatchObject({ grantsAskedAgain: 1, grantsEnded: 0 })
    expect((await own.as('alice').getGrant({ id: grant.id })).expiresAt).toBe(longer.expiresAt)
    const again = await own.as('alice').activateGrant({ id: grant.id })
    expect(again.credential.expiresAt).toBe(longer.expiresAt)
    expect(await device(own, false)).toMatchObject({ grantsEnded: 1 })
  })

  test('policy that gives less shortens what is counted from it, at the target too', async () => {
    const own = await createWorldForTest()
    const { grant, credential } = await opened(own.as('alice'), { duration: '1h' })
    own.clock.advance(minutes(50))
    await extend(grant.id, '2h', own.as('alice'))
    const lowered = ['@id("engineers-read") @max_duration("8h")', '@id("engineers-read") @max_duration("30m")'] as const
    await applyEdited(own, 'access.cedar', lowered)
    await own.server.drain()
    const { expiresAt } = await own.as('alice').getGrant({ id: grant.id })
    expect(inMs(expiresAt)).toBe(own.clock.now() + minutes(30))
    expect(await validUntil(own, credential)).toBe(inMs(expiresAt))
  })

  test('a policy that has changed since answers as it is now', async () => {
    const own = await createWorldForTest()
    const { grant } = await opened(own.as('alice'), { duration: '10m' })
    const withLead = ['@id("engineers-read") @max', '@id("engineers-read") @approvers("team-leads") @max'] as const
    await applyEdited(own, 'access.cedar', withLead)
    const { state } = await own.as('alice').getGrant({ id: grant.id })
    // Nobody has approved it, so it has ended; what is asked for anew is answered for that.
    expect(['ending', 'ended']).toContain(state)
    expect(await outcomeOf(extend(grant.id, '20m', own.as('alice')))).toBe('grant-ended')
  })
})

describe('at once', () => {
  test('with a revoke: whichever comes first, the grant is over, and nothing of it is left', async () => {
    for (let round = 0; round < 6; round++) {
      const { grant } = await opened(world.as('alice'), { duration: '10m' })
      const outcomes = await Promise.all([
        outcomeOf(extend(grant.id, '20m')),
        outcomeOf(world.as('dora').revokeGrant({ id: grant.id, reason: 'enough' })),
        outcomeOf(extend(grant.id, '30m')),
      ])
      expect(outcomes[1]).toBe('done')
      for (const one of [outcomes[0], outcomes[2]])
        expect(['done', 'grant-ended', 'grant-busy', 'invalid-input']).toContain(one)
      await world.server.drain()
      expect(await world.as('alice').getGrant({ id: grant.id })).toMatchObject({
        state: 'ended',
        end: { reason: 'revoked' },
      })
    }
    expect(await loginsOn(world.target)).toEqual([])
  })

  test('with its expiry, by servers that pass at the instant: extended before it or over, never both', async () => {
    const own = await createWorldForTest()
    const other = await own.startAnother()
    for (let round = 0; round < 6; round++) {
      const { grant } = await opened(own.as('alice'), { duration: '10m' })
      own.clock.set(inMs(grant.expiresAt) - 1)
      const asked = outcomeOf(extend(grant.id, '20m', own.as('alice')))
      own.clock.advance(1)
      const [outcome] = await Promise.all([asked, own.server.drain(), other.drain()])
      const { state, expiresAt, end } = await own.as('alice').getGrant({ id: grant.id })
      const types = await entryTypesOf(own.admin, { grant: grant.id })
      if (outcome === 'done') expect([state, inMs(expiresAt) > own.clock.now()]).toEqual(['active', true])
      else {
        await Promise.all([own.server.drain(), other.drain()])
        expect([end?.reason, expiresAt]).toEqual(['expired', grant.expiresAt])
        expect(types).not.toContain('grant.extended')
      }
      await own.as('alice').endGrant({ id: grant.id })
      await own.server.drain()
    }
    expect(await loginsOn(own.target)).toEqual([])
  })

  test('with another extension: the longest counts, each is on record, and the target knows it', async () => {
    const { grant, credential } = await opened(world.as('alice'), { duration: '10m' })
    const wanted = ['20m', '3h', '40m', '1h']
    const outcomes = await Promise.all(wanted.map((duration) => outcomeOf(extend(grant.id, duration))))
    for (const one of outcomes) expect(['done', 'invalid-input']).toContain(one)
    expect(outcomes[1]).toBe('done')
    const { expiresAt } = await world.as('alice').getGrant({ id: grant.id })
    expect(inMs(expiresAt)).toBe(world.clock.now() + minutes(180))
    await world.server.drain()
    expect(await validUntil(world, credential)).toBe(inMs(expiresAt))
    const types = await entryTypesOf(world.admin, { grant: grant.id })
    expect(types.filter((type) => type === 'grant.extended').length).toBe(
      outcomes.filter((one) => one === 'done').length,
    )
    await world.as('alice').endGrant({ id: grant.id })
  })
})

test('a target that cannot be told has the end of before, its holder hears that, and it is told when it is back', async () => {
  const proxy = await startProxyForTest(clusterOf('target'))
  const own = await createWorldForTest({ targetAt: proxy })
  const { grant, credential } = await opened(own.as('alice'), { duration: '10m' })
  proxy.cut()
  const { grant: longer, targetKnows } = await extend(grant.id, '1h', own.as('alice'))
  expect([targetKnows, inMs(longer.expiresAt)]).toEqual([false, own.clock.now() + minutes(60)])
  expect(await validUntil(own, credential)).toBe(inMs(grant.expiresAt))
  proxy.mend()
  own.clock.advance(minutes(1))
  await own.server.drain()
  expect(await validUntil(own, credential)).toBe(inMs(longer.expiresAt))
  expect(await entryTypesOf(own.admin, { grant: grant.id })).toContain('login.extended')
})

test('a request for an extension stays one, and belongs to one grant', async () => {
  const { grant } = await openedWriter(world)
  const { request } = await extend(grant.id, '1h')
  const other = await permitted(world.as('alice'))
  const change = `update access_request set extends = $2 where id = $1`
  for (const to of [null, other])
    await expect(inStore(world.store, change, [request.id, to])).rejects.toThrow(/never change/)
  await world.as('alice').endGrant({ id: grant.id })
})
