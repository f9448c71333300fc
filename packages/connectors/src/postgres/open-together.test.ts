import { afterAll, beforeAll, expect, test } from 'vitest'
import { newLease, openTarget, type UnderTest } from '../testing/postgres-target.ts'

let target: UnderTest
beforeAll(async () => {
  target = await openTarget({ limits: { maxConnections: 2 } })
  expect(await target.connector.align()).toMatchObject({ outcome: 'aligned' })
})
afterAll(() => target.cleanup())

const openAll = (leases: readonly ReturnType<typeof newLease>[]) =>
  Promise.all(leases.map((lease) => target.connector.open(lease)))

const madeIn = (sent: readonly string[]): readonly number[] =>
  sent.map((text) => text.split('CREATE ROLE').length - 1).filter((count) => count > 0)

test('what is asked for at once is made in one transaction, and each has a credential of its own', async () => {
  const leases = Array.from({ length: 6 }, (_, n) => newLease(n % 2 === 0 ? 'narrow' : 'wide'))
  const before = target.sent.length
  const outcomes = await openAll(leases)
  expect(madeIn(target.sent.slice(before))).toEqual([6])
  for (const [n, outcome] of outcomes.entries()) {
    if (outcome.outcome !== 'opened') throw new Error(outcome.message)
    const client = await target.loginAs(outcome.credential)
    const may = await client.query("SELECT has_table_privilege('shop.orders', 'INSERT') AS insert")
    expect(may.rows).toEqual([{ insert: n % 2 === 1 }])
    await client.end()
  }
  await Promise.all(leases.map(({ grant }) => target.connector.close(grant)))
})

test('one that cannot be opened keeps no other from it', async () => {
  const [taken, unknown, strange, fine] = [
    newLease('narrow'),
    newLease('nothing'),
    newLease('narrow'),
    newLease('wide'),
  ]
  const login = (lease: typeof taken) => `"${target.config.rolePrefix}${lease.grant}"`
  expect(await target.connector.open(taken)).toMatchObject({ outcome: 'opened' })
  await target.ask(`CREATE ROLE ${login(strange)} LOGIN CREATEDB`)
  const outcomes = await openAll([taken, unknown, strange, fine])
  expect(outcomes).toMatchObject([
    { outcome: 'opened' },
    { outcome: 'failed', cause: 'misconfigured', notDone: true },
    { outcome: 'failed', cause: 'refused', message: expect.stringContaining('CREATEDB') },
    { outcome: 'opened' },
  ])
  await target.ask(`DROP ROLE ${login(strange)}`)
  await Promise.all([taken, fine].map(({ grant }) => target.connector.close(grant)))
})

test('of a crowd whose target is lost on the way, nothing is said of what was done', async () => {
  const leases = [newLease('narrow'), newLease('narrow')]
  target.faults.arm({ when: 'after', nth: 1 })
  expect(await openAll(leases)).toMatchObject(leases.map(() => ({ outcome: 'failed', notDone: false })))
  target.faults.arm()
  expect((await target.connector.find()).map(({ grant }) => grant).toSorted()).toEqual(
    leases.map(({ grant }) => grant).toSorted(),
  )
  await Promise.all(leases.map(({ grant }) => target.connector.close(grant)))
})
