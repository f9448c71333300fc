import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CloseOutcome, type Credential, type Lease } from '../contract.ts'
import { newGrant, newLease, openTarget, type UnderTest } from '../testing/postgres-target.ts'

let target: UnderTest
beforeAll(async () => {
  target = await openTarget()
  expect(await target.connector.align()).toMatchObject({ outcome: 'aligned' })
})
afterAll(() => target.cleanup())

type Open = { readonly lease: Lease; readonly credential: Credential; readonly cut: Promise<void> }

async function openWithSession(role = 'narrow'): Promise<Open> {
  const lease = newLease(role)
  const outcome = await target.connector.open(lease)
  if (outcome.outcome !== 'opened') throw new Error(outcome.message)
  const session = await target.loginAs(outcome.credential)
  const cut = new Promise<void>((resolve) => session.once('end', () => resolve()))
  return { lease, credential: outcome.credential, cut }
}

const openMany = async (count: number): Promise<Open[]> => {
  const all: Open[] = []
  for (let i = 0; i < count; i++) all.push(await openWithSession())
  return all
}

const closeAll = (leases: readonly Pick<Lease, 'grant'>[]): Promise<CloseOutcome[]> =>
  Promise.all(leases.map(({ grant }) => target.connector.close(grant)))

const leasesOf = (all: readonly Open[]): Lease[] => all.map(({ lease }) => lease)

const gone = { outcome: 'closed', existed: true, sessionsEnded: 1 } as const

test('a crowd takes as many looks at the target as one does', async () => {
  const looks = async (leases: readonly Lease[]): Promise<number> => {
    const sent = target.sent.length
    expect(await closeAll(leases)).toEqual(leases.map(() => gone))
    return target.sent.slice(sent).filter((text) => !text.includes('pg_sleep') && !text.includes('virtualxid')).length
  }
  const few = await looks(leasesOf(await openMany(1)))
  const crowd = await openMany(12)
  // How often the target is asked whether they are gone is its own affair.
  expect(await looks(leasesOf(crowd))).toBeLessThanOrEqual(few + 3)
  await Promise.all(crowd.map(({ cut }) => cut))
  expect(await target.connector.find()).toEqual([])
})

test('two who ask for the same grant at once get the same answer', async () => {
  const { lease } = await openWithSession()
  expect(await closeAll([lease, lease])).toEqual([gone, gone])
})

test('one that was never opened is no reason to leave the others', async () => {
  const open = await openMany(2)
  const outcomes = await closeAll([...leasesOf(open), { grant: newGrant() }])
  expect(outcomes).toEqual([gone, gone, { outcome: 'closed', existed: false, sessionsEnded: 0 }])
})

test('one that cannot be dropped is told apart, and the others are gone', async () => {
  const open = await openMany(3)
  const [stuck] = open as [Open, ...Open[]]
  await target.ask(`CREATE TABLE public.stuck (id int); GRANT SELECT ON public.stuck TO "${stuck.credential.user}"`)
  const outcomes = await closeAll(leasesOf(open))
  expect(outcomes).toEqual([
    expect.objectContaining({
      outcome: 'failed',
      notDone: false,
      cause: 'refused',
      message: expect.stringContaining('public.stuck') as string,
    }),
    gone,
    gone,
  ])
  await Promise.all(open.map(({ cut }) => cut))
  expect((await target.connector.find()).map(({ grant }) => grant)).toEqual([stuck.lease.grant])
  await target.ask('DROP TABLE public.stuck')
  expect(await target.connector.close(stuck.lease.grant)).toMatchObject({ outcome: 'closed', existed: true })
})

test('what a holder of one holds on to keeps no other open, nor itself', async () => {
  const open = await openMany(2)
  const holder = await target.loginAs((open[0] as Open).credential)
  await holder.query('BEGIN; ALTER ROLE CURRENT_USER PASSWORD $$mine$$')
  expect(await closeAll(leasesOf(open))).toEqual([{ ...gone, sessionsEnded: 2 }, gone])
  await Promise.all(open.map(({ cut }) => cut))
})

test('objects of several are each handed over', async () => {
  await target.ask(
    `CREATE SCHEMA crowd AUTHORIZATION ${target.harness.owner}; GRANT CREATE, USAGE ON SCHEMA crowd TO PUBLIC`,
  )
  const open = await openMany(3)
  for (const [number, { credential }] of open.entries()) {
    const session = await target.loginAs(credential)
    await session.query(`CREATE TABLE crowd.of_${number} (id int)`)
    await session.end()
  }
  expect(await closeAll(leasesOf(open))).toEqual([gone, gone, gone])
  const owners = await target.ask("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'crowd'")
  expect(owners).toEqual([{ tableowner: target.harness.owner }])
})

test('of a crowd whose target is lost on the way nobody is said to be closed, and the next call closes them', async () => {
  const open = await openMany(3)
  // The third is the look for their sessions; by then they are shut.
  target.faults.arm({ when: 'after', nth: 3 })
  for (const outcome of await closeAll(leasesOf(open)))
    expect(outcome).toMatchObject({ outcome: 'failed', notDone: false })
  for (const outcome of await closeAll(leasesOf(open))) expect(outcome).toMatchObject({ outcome: 'closed' })
  expect(await target.connector.find()).toEqual([])
})
