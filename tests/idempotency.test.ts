/** The same key and input are done once, however often and from wherever they are sent. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Operation } from '@tidegate/api'
import { limits, operations } from '@tidegate/api'
import { entryTypesOf, inStore } from './support/story.ts'
import { createWorld } from './support/tidegate.ts'

let world: Awaited<ReturnType<typeof createWorld>>
let round = 0
beforeAll(async () => void (world = await createWorld()))
afterAll(() => world.stop())
beforeEach(() => void round++)

const wish = { role: 'orders-db/readonly', duration: '30m', reason: 'Looking into order 7' }
const key = (name: string): { idempotencyKey: string } => ({ idempotencyKey: `${name}-${round}` })
const countOf = async (who: string): Promise<number> =>
  (await world.as(who).listRequests({ principal: `user:${who}`, limit: 500 })).items.length

test('the same key and input are one request and one answer', async () => {
  const before = await countOf('alice')
  const first = await world.as('alice').createRequest(wish, key('a'))
  world.clock.advance(60_000)
  await world.as('alice').endGrant({ id: first.grant as string })
  const again = await world.as('alice').createRequest(wish, key('a'))
  expect(again).toEqual(first)
  expect(await countOf('alice')).toBe(before + 1)
  expect(
    (await entryTypesOf(world.admin, { request: first.id })).filter((type) => type === 'request.filed'),
  ).toHaveLength(1)
})

test('the order of the fields is no other input', async () => {
  const first = await world.as('alice').createRequest(wish, key('a'))
  const turned = Object.fromEntries(Object.entries(wish).toReversed()) as typeof wish
  expect((await world.as('alice').createRequest(turned, key('a'))).id).toBe(first.id)
})

test('sent at the same time, at two servers, the same key and input are still one request', async () => {
  const other = await world.startAnother()
  const before = await countOf('alice')
  const sent = Array.from({ length: 10 }, (_, index) =>
    index % 2 === 0 ? world.as('alice') : world.at(other, 'alice'),
  )
  const answers = await Promise.all(sent.map((client) => client.createRequest(wish, key('a'))))
  expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
  expect(await countOf('alice')).toBe(before + 1)
  await other.stop()
})

test('the same key with another input is refused, also at the same time, and does nothing', async () => {
  const first = await world.as('alice').createRequest(wish, key('a'))
  const before = await countOf('alice')
  await expect(world.as('alice').createRequest({ ...wish, duration: '31m' }, key('a'))).rejects.toMatchObject({
    code: 'idempotency-mismatch',
  })
  const outcomes = await Promise.allSettled(
    ['1m', '2m', '3m'].map((duration) => world.as('alice').createRequest({ ...wish, duration }, key('b'))),
  )
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected'])
  expect(await countOf('alice')).toBe(before + 1)
  expect((await world.as('alice').createRequest(wish, key('a'))).id).toBe(first.id)
})

test('a key belongs to whoever sent it', async () => {
  const hers = await world.as('alice').createRequest(wish, key('a'))
  const his = await world.as('bob').createRequest({ ...wish, reason: 'Mine' }, key('a'))
  expect(his.id).not.toBe(hers.id)
  expect(his.principal).toBe('user:bob')
})

test('a key that was used for one operation is refused for another', async () => {
  await world.as('dora').createRequest(wish, key('a'))
  await expect(world.as('dora').applyConfig({ files: world.files }, key('a'))).rejects.toMatchObject({
    code: 'idempotency-mismatch',
  })
})

test('a call that was refused leaves its key free', async () => {
  await expect(world.as('alice').createRequest({ ...wish, role: 'orders-db/none' }, key('a'))).rejects.toMatchObject({
    code: 'unknown-role',
  })
  expect((await world.as('alice').createRequest(wish, key('a'))).status).toBe('approved')
})

test('without a key the same input is another request each time', async () => {
  const [one, other] = await Promise.all([world.as('alice').createRequest(wish), world.as('alice').createRequest(wish)])
  expect(one.id).not.toBe(other.id)
})

test('a configuration that is applied twice under one key is one change', async () => {
  const files = [...world.files, { path: 'more.yaml', text: 'groups: [{ id: newcomers, members: [bob] }]' }]
  const first = await world.admin.applyConfig({ files }, key('a'))
  const again = await world.admin.applyConfig({ files }, key('a'))
  expect(again).toEqual(first)
  expect(first.status).toBe('applied')
})

test('every operation that creates takes a key, and no secret is among the answers that are kept', async () => {
  const creating = Object.entries<Operation>(operations).filter(([, { status }]) => status === 201)
  const without = creating.filter(([, { idempotent }]) => idempotent !== true).map(([id]) => id)
  // All that is in their answer is a secret, which is shown once and kept nowhere.
  expect(without.toSorted()).toEqual(['createAgentToken', 'createServiceSecret', 'inviteUser'])
  expect(
    Object.entries<Operation>(operations).filter(([, { idempotent, status }]) => idempotent && status !== 201),
  ).toEqual([])
  const kept = JSON.stringify(await inStore(world.store, 'select output from idempotency'))
  expect(kept).not.toMatch(/secret|tdg_|password"/)
})

test('a key is still known at the end of its days', async () => {
  const first = await world.as('alice').createRequest(wish, key('a'))
  world.clock.advance(limits.idempotencyKeyDays * 86_400_000)
  await world.server.drain()
  expect((await world.as('alice').createRequest(wish, key('a'))).id).toBe(first.id)
})
