/** Asking and opening in one call: the same rules, the same entries, one way less. */

import { expect, test } from 'vitest'
import { logIn, loginsOn, outcomeOf } from './support/access.ts'
import { clusterOf } from './support/databases.ts'
import { startProxyForTest } from './support/proxy.ts'
import { entriesOf, entryTypesOf, inStore } from './support/story.ts'
import { createWorldForTest } from './support/tidegate.ts'

const wish = { role: 'orders-db/readonly', duration: '30m', reason: 'Looking into order 7' }

test('what policy gives at once is open when the call is answered, and ends like any other', async () => {
  const world = await createWorldForTest()
  const { request, grant, credential } = await world.as('alice').openAccess(wish)
  expect(request).toMatchObject({ status: 'approved', grant: grant?.id })
  expect(grant).toMatchObject({ state: 'active', role: wish.role })
  const session = await logIn(credential!)
  expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await world.as('alice').endGrant({ id: grant!.id })
  await world.server.drain()
  await session.cut
  expect(await loginsOn(world.target)).toEqual([])
})

test('it leaves the entries that two calls leave, on one decision', async () => {
  const world = await createWorldForTest()
  const { request } = await world.as('alice').openAccess(wish)
  const asked = await world.as('alice').createRequest(wish)
  await world.as('alice').activateGrant({ id: asked.grant as string })
  expect(await entryTypesOf(world.admin, { request: request.id })).toEqual(
    await entryTypesOf(world.admin, { request: asked.id }),
  )
  const entries = await entriesOf(world.admin, { request: request.id })
  const decisions = entries.flatMap(({ entry }) => entry['decision'] ?? [])
  expect(new Set(decisions).size).toBe(1)
  expect(await inStore(world.store, 'select id from decision where id = $1', [decisions[0]])).toHaveLength(1)
})

test('what needs people is filed and not opened', async () => {
  const world = await createWorldForTest()
  const asked = await world.as('alice').openAccess({ ...wish, role: 'orders-db/writer' })
  expect(asked).toEqual({ request: expect.objectContaining({ status: 'pending' }) })
  expect(await loginsOn(world.target)).toEqual([])
  await world.as('dora').approveRequest({ id: asked.request.id })
  expect((await world.as('alice').getRequest({ id: asked.request.id })).status).toBe('approved')
})

test('what policy refuses is refused, with what would make it a yes', async () => {
  const world = await createWorldForTest()
  const { request, grant } = await world.as('alice').openAccess({ ...wish, duration: '12h' })
  expect(grant).toBeUndefined()
  expect(request).toMatchObject({ status: 'denied', decision: { outcome: 'deny' } })
})

test('a target that cannot be reached is told, with the names of what was filed, and nothing is left', async () => {
  const proxy = await startProxyForTest(clusterOf('target'))
  const world = await createWorldForTest({ targetAt: proxy })
  proxy.cut()
  const refused = world.as('alice').openAccess(wish)
  await expect(refused).rejects.toMatchObject({
    code: 'target-unavailable',
    message: expect.stringMatching(/The request is req_\w+, its grant grt_\w+\./) as string,
  })
  proxy.mend()
  await world.server.drain()
  expect(await loginsOn(world.target)).toEqual([])
  const [request] = (await world.as('alice').listRequests({})).items
  expect(request?.status).toBe('failed')
})

test('a role that is not there files nothing', async () => {
  const world = await createWorldForTest()
  expect(await outcomeOf(world.as('alice').openAccess({ ...wish, role: 'orders-db/king' }))).toBe('unknown-role')
  expect((await world.as('alice').listRequests({})).items).toEqual([])
})
