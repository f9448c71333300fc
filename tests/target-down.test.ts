/** Targets that cannot be reached, say no, or were changed by someone else: nothing is lost, and nothing is left. */

import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { logIn, loginsOn, onTarget, opened, outcomeOf, permitted, prefixOf } from './support/access.ts'
import { clusterOf } from './support/databases.ts'
import type { Proxy } from './support/proxy.ts'
import { startProxyForTest } from './support/proxy.ts'
import { entriesOf, entryTypesOf } from './support/story.ts'
import type { World } from './support/tidegate.ts'
import { createWorldForTest, defaultFiles } from './support/tidegate.ts'

type Behind = { readonly world: World; readonly proxy: Proxy }

/** The target stands behind a proxy: what the test does past Tidegate goes around it. */
async function behindProxy({ waits = false } = {}): Promise<Behind> {
  const proxy = await startProxyForTest(clusterOf('target'))
  const world = await createWorldForTest({
    targetAt: proxy,
    files: (parts) =>
      defaultFiles(parts).map(({ path, text }) => ({
        path,
        text: waits ? text.replace('kind: postgres', 'kind: postgres\n    whenUnreachable: wait') : text,
      })),
  })
  return { world, proxy }
}

const openFindings = async ({ admin }: World): Promise<{ kind: string; subject: string; message: string }[]> =>
  (await admin.listFindings({ open: 'true' })).items.map(({ kind, subject, message }) => ({ kind, subject, message }))

describe('while a grant ends', () => {
  test('a grant whose target is down stays ending, says so, and is closed when the target is back', async () => {
    const { world, proxy } = await behindProxy()
    const { grant, credential } = await opened(world.as('alice'), { duration: '10m' })
    proxy.cut()
    world.clock.set(Date.parse(grant.expiresAt as string))
    await world.server.drain()
    const down = await world.as('alice').getGrant({ id: grant.id })
    expect(down).toMatchObject({ state: 'ending', end: { reason: 'expired' }, closing: { failures: 1 } })
    expect(down.closing?.lastFailure).toMatch(/cannot be reached|was lost/)
    expect((await openFindings(world)).map(({ kind, subject }) => `${kind} ${subject}`)).toContain(
      `close-failing grant:${grant.id}`,
    )
    await expect(world.as('alice').activateGrant({ id: grant.id })).rejects.toMatchObject({ code: 'grant-ended' })

    // Two days of it: no attempt is the last.
    for (let hour = 0; hour < 48; hour++) {
      world.clock.advance(3_600_000)
      await world.server.drain()
    }
    const still = await world.as('alice').getGrant({ id: grant.id })
    expect(still.state).toBe('ending')
    expect(still.closing?.failures).toBeGreaterThanOrEqual(49)
    expect(await loginsOn(world.target)).toEqual([credential.user])

    proxy.mend()
    world.clock.advance(60_000)
    await world.server.drain()
    expect(await world.as('alice').getGrant({ id: grant.id })).toMatchObject({
      state: 'ended',
      end: { reason: 'expired', at: grant.expiresAt },
    })
    expect(await loginsOn(world.target)).toEqual([])
    expect((await openFindings(world)).filter(({ kind }) => kind === 'close-failing')).toEqual([])
    const types = await entryTypesOf(world.admin)
    expect(types.filter((type) => type.startsWith('finding.') || type === 'grant.ended')).toEqual(
      expect.arrayContaining(['finding.opened', 'finding.closed', 'grant.ended']),
    )
    const ended = (await entriesOf(world.admin, { grant: grant.id })).find(({ type }) => type === 'grant.ended')
    expect(ended?.entry).toMatchObject({ verifiedGone: true, reason: 'expired' })
  })

  test('a close whose answer was lost is taken up again, and ends the grant once', async () => {
    const { world, proxy } = await behindProxy()
    const { grant } = await opened(world.as('alice'))
    const dropped = proxy.holdAnswer('DROP ROLE')
    await world.as('alice').endGrant({ id: grant.id })
    const draining = world.server.drain()
    await dropped
    proxy.cut()
    await draining
    expect(await loginsOn(world.target)).toEqual([])
    expect((await world.as('alice').getGrant({ id: grant.id })).state).toBe('ending')
    proxy.mend()
    world.clock.advance(60_000)
    await world.server.drain()
    expect((await world.as('alice').getGrant({ id: grant.id })).state).toBe('ended')
    expect(
      (await entryTypesOf(world.admin, { grant: grant.id })).filter((type) => type === 'grant.ended'),
    ).toHaveLength(1)
  })
})

describe('while a grant is opened', () => {
  test('a target that is down fails the request, where the resource does not wait, and leaves nothing', async () => {
    const { world, proxy } = await behindProxy()
    const id = await permitted(world.as('alice'))
    proxy.cut()
    await expect(world.as('alice').activateGrant({ id })).rejects.toMatchObject({ code: 'target-unavailable' })
    const grant = await world.as('alice').getGrant({ id })
    expect(grant).toMatchObject({ state: 'ended', end: { reason: 'open-failed', note: 'unreachable' } })
    expect((await world.as('alice').getRequest({ id: grant.request })).status).toBe('failed')
    proxy.mend()
    await expect(world.as('alice').activateGrant({ id })).rejects.toMatchObject({ code: 'grant-ended' })
    expect(await loginsOn(world.target)).toEqual([])
    expect((await opened(world.as('alice'))).grant.state).toBe('active')
  })

  test('a target that is down leaves the grant ready, where the resource waits, and the clock starts only when it opens', async () => {
    const { world, proxy } = await behindProxy({ waits: true })
    const id = await permitted(world.as('alice'), { duration: '30m' })
    proxy.cut()
    await expect(world.as('alice').activateGrant({ id })).rejects.toMatchObject({
      code: 'target-unavailable',
      details: { detail: expect.stringContaining('activate it again later') },
    })
    const waiting = await world.as('alice').getGrant({ id })
    expect(waiting.state).toBe('ready')
    expect(waiting.expiresAt).toBeUndefined()
    proxy.mend()
    world.clock.advance(3_600_000)
    await world.server.drain()
    const { grant, credential } = await world.as('alice').activateGrant({ id })
    expect(Date.parse(grant.expiresAt as string)).toBe(world.clock.now() + 30 * 60_000)
    expect((await (await logIn(credential)).query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('a login that was made without our hearing of it is closed, where the resource does not wait', async () => {
    const { world, proxy } = await behindProxy()
    const id = await permitted(world.as('alice'))
    const made = proxy.holdAnswer('CREATE ROLE')
    const outcome = outcomeOf(world.as('alice').activateGrant({ id }))
    await made
    proxy.cut()
    expect(await outcome).toBe('target-unavailable')
    expect(await loginsOn(world.target)).toHaveLength(1)
    expect((await world.as('alice').getGrant({ id })).state).toBe('ending')
    proxy.mend()
    await world.server.drain()
    expect(await loginsOn(world.target)).toEqual([])
    expect((await world.as('alice').getGrant({ id })).end?.reason).toBe('open-failed')
  })

  test('a login that was made without our hearing of it is taken over by the next attempt, where the resource waits', async () => {
    const { world, proxy } = await behindProxy({ waits: true })
    const id = await permitted(world.as('alice'))
    const made = proxy.holdAnswer('CREATE ROLE')
    const outcome = outcomeOf(world.as('alice').activateGrant({ id }))
    await made
    proxy.cut()
    expect(await outcome).toBe('target-unavailable')
    proxy.mend()
    world.clock.advance(1_000)
    const { credential } = await world.as('alice').activateGrant({ id })
    await logIn(credential)
    expect(await loginsOn(world.target)).toEqual([credential.user])
  })

  test('a login that was made without our hearing of it is closed in the end, where nobody tries again', async () => {
    const { world, proxy } = await behindProxy({ waits: true })
    const id = await permitted(world.as('alice'))
    const made = proxy.holdAnswer('CREATE ROLE')
    const outcome = outcomeOf(world.as('alice').activateGrant({ id }))
    await made
    proxy.cut()
    expect(await outcome).toBe('target-unavailable')
    proxy.mend()
    world.clock.advance(30_000)
    await world.server.drain()
    expect(await world.as('alice').getGrant({ id })).toMatchObject({ state: 'ended', end: { reason: 'open-failed' } })
    expect(await loginsOn(world.target)).toEqual([])
  })

  test('a wrong password of the target is said to whoever opens and to whoever watches, without the password', async () => {
    const wrong = 'not-the-password-of-the-target'
    const world = await createWorldForTest({ env: { ORDERS_DB_ADMIN_PASSWORD: wrong } })
    const [untended] = await openFindings(world)
    expect(untended).toMatchObject({ kind: 'target-untended', subject: 'resource:orders-db' })
    expect(untended?.message).toContain('connection.password')
    const id = await permitted(world.as('alice'))
    const error = await world
      .as('alice')
      .activateGrant({ id })
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'target-unavailable',
      details: { detail: expect.stringContaining('connection.password') },
    })
    expect(JSON.stringify([error, untended])).not.toContain(wrong)
    await expect(world.admin.surveyResource({ id: 'orders-db' })).rejects.toMatchObject({ code: 'target-unavailable' })
  })
})

describe('where someone else was at work', () => {
  const sweep = async (world: World): Promise<void> => {
    world.clock.advance(world.settings.sweepEvery)
    await world.server.drain()
  }

  test('a login of ours without a grant is closed and reported, and one of somebody else is left alone', async () => {
    const world = await createWorldForTest()
    const prefix = prefixOf(world.target)
    const grant = 'grt_01h455vb4pex5vsknk084sn02q'
    await onTarget(world.target, `create role ${prefix}${grant} login password 'x'`)
    await onTarget(world.target, `comment on role ${prefix}${grant} is 'tidegate resource=orders-db grant=${grant}'`)
    await onTarget(world.target, `grant ${prefix}readonly to ${prefix}${grant}`)
    await onTarget(world.target, `grant ${prefix}${grant} to ${world.target.admin.user} with admin option`)
    const strangers = [`${prefix}batch`, `${prefix}grt_not_an_id`]
    for (const name of strangers) await onTarget(world.target, `create role ${name} login`)
    await sweep(world)
    expect(await loginsOn(world.target)).toEqual(strangers.toSorted())
    for (const name of strangers) await onTarget(world.target, `drop role ${name}`)
    expect(await openFindings(world)).toMatchObject([{ kind: 'orphan-login', subject: `grant:${grant}` }])
    expect((await entriesOf(world.admin)).find(({ type }) => type === 'orphan.closed')?.entry).toMatchObject({
      grant,
      resource: 'orders-db',
    })
    await sweep(world)
    expect((await entryTypesOf(world.admin)).filter((type) => type === 'orphan.closed')).toHaveLength(1)
  })

  test('a grant that ends while its target is being read is nobody’s orphan', async () => {
    const { world, proxy } = await behindProxy()
    const other = await world.startAnother()
    const { grant } = await opened(world.as('alice'))
    const read = proxy.holdAnswer('a.usesysid = r.oid) AS sessions')
    const sweeping = sweep(world)
    await read
    await world.as('alice').endGrant({ id: grant.id })
    await other.drain()
    expect((await world.as('alice').getGrant({ id: grant.id })).state).toBe('ended')
    proxy.mend()
    await sweeping
    expect(await openFindings(world)).toEqual([])
  })

  test('a grant that is opened while its target is being read misses no login', async () => {
    const { world, proxy } = await behindProxy()
    const grant = await permitted(world.as('alice'))
    const inTheWay = new pg.Client(world.target.superuserUrl)
    await inTheWay.connect()
    await inTheWay.query(`begin; create role "${prefixOf(world.target)}${grant}"`)
    world.clock.advance(world.settings.sweepEvery)
    const activating = world.as('alice').activateGrant({ id: grant })
    await expect.poll(() => world.as('alice').getGrant({ id: grant })).toMatchObject({ state: 'provisioning' })
    world.clock.advance(1_000)
    const read = proxy.holdAnswer('a.usesysid = r.oid) AS sessions')
    const sweeping = world.server.drain()
    await read
    world.clock.advance(1_000)
    await inTheWay.query('rollback')
    await inTheWay.end()
    expect((await activating).grant.state).toBe('active')
    proxy.mend()
    await sweeping
    expect(await openFindings(world)).toEqual([])
  })

  test('a live login that somebody removed is reported, and a new credential brings it back', async () => {
    const world = await createWorldForTest()
    const { grant, credential } = await opened(world.as('alice'))
    await onTarget(world.target, `drop role ${credential.user}`)
    await sweep(world)
    expect(await openFindings(world)).toMatchObject([{ kind: 'login-missing', subject: `grant:${grant.id}` }])
    await logIn((await world.as('alice').activateGrant({ id: grant.id })).credential)
    await sweep(world)
    expect(await openFindings(world)).toEqual([])
  })

  test('a grant whose login somebody removed ends like any other', async () => {
    const world = await createWorldForTest()
    const { grant, credential } = await opened(world.as('alice'))
    await onTarget(world.target, `drop role ${credential.user}`)
    await world.as('alice').endGrant({ id: grant.id })
    await world.server.drain()
    expect((await world.as('alice').getGrant({ id: grant.id })).state).toBe('ended')
  })

  test('a target that cannot be tended is reported, and no longer when it can', async () => {
    const { world, proxy } = await behindProxy()
    proxy.cut()
    await sweep(world)
    expect(await openFindings(world)).toMatchObject([{ kind: 'target-untended', subject: 'resource:orders-db' }])
    proxy.mend()
    await sweep(world)
    expect(await openFindings(world)).toEqual([])
  })
})

test('who activates a grant whose closing hangs is told so, and keeps nobody else waiting', async () => {
  const proxy = await startProxyForTest(clusterOf('target'))
  const world = await createWorldForTest({ targetAt: proxy })
  const { grant } = await opened(world.as('alice'))
  await world.as('alice').endGrant({ id: grant.id })
  const closing = proxy.holdRequest('NOLOGIN')
  const drained = world.server.drain()
  await closing
  // More than the server has connections.
  const attempts = Array.from({ length: 12 }, () => outcomeOf(world.as('alice').activateGrant({ id: grant.id })))
  expect(new Set(await Promise.all(attempts))).toEqual(new Set(['grant-busy']))
  expect(await world.as('bob').whoami({})).toBeDefined()
  proxy.mend()
  await drained
  expect(await outcomeOf(world.as('alice').activateGrant({ id: grant.id }))).toBe('grant-ended')
})
