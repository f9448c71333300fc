/**
 * The contract as a suite: what every kind of connector is held to. A kind brings a fixture: a target of its own, two
 * roles on it, and a probe that looks at the target past the connector.
 */

import { randomBytes } from 'node:crypto'
import { type GrantId, instant, makeId } from '@tidegate/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Connector, type Credential, isTargetFault, type Lease } from './contract.ts'
import type { Fault, Faults } from './faults.ts'

export type Fixture = {
  readonly connector: Connector
  readonly probe: Probe
  readonly faults: Faults
  /** Of two roles; `wide` gives what `narrow` gives, and more. */
  readonly roles: { readonly narrow: string; readonly wide: string }
  /** As the target's clock says. */
  now(): number
  cleanup(): Promise<void>
}

/** Looks at the target and acts on it independently of the connector. */
export type Probe = {
  /** What this credential can do there, tried out. */
  reach(credential: Credential): Promise<'nothing' | 'narrow' | 'wide'>
  openSession(credential: Credential): Promise<ProbeSession>
  exists(grant: GrantId): Promise<boolean>
  /** Everything that the target keeps about a grant, in any form that can be compared. */
  trace(grant: GrantId): Promise<string>
  /** Makes something as the holder, and returns who owns it now. */
  leaveObject(credential: Credential): Promise<() => Promise<string>>
  readonly heir: string
  /** Gives the role something that is not configured, by hand. */
  widen(role: string): Promise<void>
  isWidened(role: string): Promise<boolean>
  /** Makes what looks like the login of a grant but is someone else's. */
  makeStranger(): Promise<{ readonly grant: GrantId; remains(): Promise<boolean> }>
  /** Makes someone who holds something without a grant. */
  makeStanding(): Promise<string>
}

export type ProbeSession = {
  /** Whether it still answers. */
  alive(): Promise<boolean>
  /** Resolves when the target has ended it. */
  readonly closed: Promise<void>
  end(): Promise<void>
}

export type ConformanceOptions = { readonly name: string; create(): Promise<Fixture> }

const hour = 3_600_000

export function testConnector({ name, create }: ConformanceOptions): void {
  describe(`${name} keeps the contract`, () => {
    let fixture: Fixture
    beforeAll(async () => {
      fixture = await create()
      expect(await fixture.connector.align()).toMatchObject({ outcome: 'aligned' })
    })
    afterAll(async () => {
      await fixture.connector.end()
      await fixture.cleanup()
    })
    const given = (): Fixture => fixture
    testOpening(given)
    testClosing(given)
    testOverlap(given)
    testReading(given)
    testAlign(given)
    testFaults(given)
  })
}

type Given = () => Fixture

const newLease = ({ roles, now }: Fixture, change: Partial<Lease> = {}): Lease => ({
  grant: makeId('grant', instant(Math.trunc(now())), randomBytes(10)),
  role: roles.narrow,
  expiresAt: instant(Math.trunc(now()) + hour),
  ...change,
})

async function opened({ connector }: Fixture, lease: Lease): Promise<Credential> {
  const outcome = await connector.open(lease)
  if (outcome.outcome !== 'opened') throw new Error(outcome.message)
  return outcome.credential
}

async function closed({ connector }: Fixture, grant: GrantId) {
  const outcome = await connector.close(grant)
  if (outcome.outcome !== 'closed') throw new Error(outcome.message)
  return outcome
}

function testOpening(given: Given): void {
  describe('open', () => {
    test('gives a credential with the privileges of its role and no others', async () => {
      const { probe, roles } = given()
      const narrow = newLease(given())
      const wide = newLease(given(), { role: roles.wide })
      expect(await probe.reach(await opened(given(), narrow))).toBe('narrow')
      expect(await probe.reach(await opened(given(), wide))).toBe('wide')
      await closed(given(), narrow.grant)
      await closed(given(), wide.grant)
    })

    test('called again replaces the secret and leaves running sessions alone', async () => {
      const { probe } = given()
      const lease = newLease(given())
      const first = await opened(given(), lease)
      const session = await probe.openSession(first)
      const second = await opened(given(), lease)
      expect(second.secret).not.toBe(first.secret)
      expect(await probe.reach(first)).toBe('nothing')
      expect(await probe.reach(second)).toBe('narrow')
      expect(await session.alive()).toBe(true)
      await session.end()
      await closed(given(), lease.grant)
    })

    test('called again with another role leaves nothing of the first', async () => {
      const { probe, roles } = given()
      const lease = newLease(given(), { role: roles.wide })
      await opened(given(), lease)
      expect(await probe.reach(await opened(given(), { ...lease, role: roles.narrow }))).toBe('narrow')
      await closed(given(), lease.grant)
    })

    test('lets the target itself refuse a login after the expiry', async () => {
      const { probe, now } = given()
      const lease = newLease(given())
      const session = await probe.openSession(await opened(given(), lease))
      const late = await opened(given(), { ...lease, expiresAt: instant(Math.trunc(now()) - 1_000) })
      expect(await probe.reach(late)).toBe('nothing')
      await session.end()
      await closed(given(), lease.grant)
    })

    test('is shortened: the target refuses new logins from then on, and running sessions go on', async () => {
      const { connector, probe, now } = given()
      const lease = newLease(given())
      const credential = await opened(given(), lease)
      const session = await probe.openSession(credential)
      const earlier = { ...lease, expiresAt: instant(lease.expiresAt - 60_000) }
      expect(await connector.moveEnd(earlier)).toEqual({ outcome: 'moved' })
      expect((await connector.find())[0]).toMatchObject({ grant: lease.grant, expiresAt: earlier.expiresAt })
      expect(await probe.reach(credential)).toBe('narrow')
      await connector.moveEnd({ ...lease, expiresAt: instant(Math.trunc(now()) - 1_000) })
      expect(await probe.reach(credential)).toBe('nothing')
      expect(await session.alive()).toBe(true)
      await session.end()
      await closed(given(), lease.grant)
    })

    test('is extended: the same secret lets in past the first end, and running sessions go on', async () => {
      const { connector, probe, now } = given()
      const over = { ...newLease(given()), expiresAt: instant(Math.trunc(now()) - 1_000) }
      const credential = await opened(given(), over)
      expect(await probe.reach(credential)).toBe('nothing')
      const later = { ...over, expiresAt: instant(Math.trunc(now()) + hour) }
      expect(await connector.moveEnd(later)).toEqual({ outcome: 'moved' })
      expect((await connector.find())[0]).toMatchObject({ grant: over.grant, expiresAt: later.expiresAt })
      const session = await probe.openSession(credential)
      const latest = { ...over, expiresAt: instant(later.expiresAt + hour) }
      expect(await connector.moveEnd(latest)).toEqual({ outcome: 'moved' })
      expect(await session.alive()).toBe(true)
      expect(await probe.reach(credential)).toBe('narrow')
      await session.end()
      await closed(given(), over.grant)
    })

    test('is not made by moving the end of what was never opened, or is closed', async () => {
      const lease = newLease(given())
      expect(await given().connector.moveEnd(lease)).toEqual({ outcome: 'moved' })
      expect(await given().probe.exists(lease.grant)).toBe(false)
      await opened(given(), lease)
      await closed(given(), lease.grant)
      expect(await given().connector.moveEnd(lease)).toEqual({ outcome: 'moved' })
      expect(await given().probe.exists(lease.grant)).toBe(false)
    })

    test('refuses a role that is not configured, and has changed nothing', async () => {
      const lease = newLease(given(), { role: 'no-such-role' })
      expect(await given().connector.open(lease)).toMatchObject({
        outcome: 'failed',
        notDone: true,
        cause: 'misconfigured',
      })
      expect(await given().probe.exists(lease.grant)).toBe(false)
    })
  })
}

function testClosing(given: Given): void {
  describe('close', () => {
    test('cuts a live session, and a reconnect is refused', async () => {
      const { probe } = given()
      const lease = newLease(given())
      const credential = await opened(given(), lease)
      const sessions = [await probe.openSession(credential), await probe.openSession(credential)]
      expect(await closed(given(), lease.grant)).toEqual({ outcome: 'closed', existed: true, sessionsEnded: 2 })
      await Promise.all(sessions.map((session) => session.closed))
      expect(await probe.reach(credential)).toBe('nothing')
      expect(await probe.exists(lease.grant)).toBe(false)
    })

    test('closes what is closed already, and what was never opened', async () => {
      const lease = newLease(given())
      expect(await closed(given(), lease.grant)).toMatchObject({ existed: false, sessionsEnded: 0 })
      await opened(given(), lease)
      expect(await closed(given(), lease.grant)).toMatchObject({ existed: true })
      expect(await closed(given(), lease.grant)).toMatchObject({ existed: false })
      expect(await given().probe.trace(lease.grant)).toBe(await given().probe.trace(newLease(given()).grant))
    })

    test('hands over what the holder owns', async () => {
      const { probe } = given()
      const lease = newLease(given())
      const ownerNow = await probe.leaveObject(await opened(given(), lease))
      await closed(given(), lease.grant)
      expect(await ownerNow()).toBe(probe.heir)
    })

    test('opens again after it was closed', async () => {
      const lease = newLease(given())
      await opened(given(), lease)
      await closed(given(), lease.grant)
      expect(await given().probe.reach(await opened(given(), lease))).toBe('narrow')
      await closed(given(), lease.grant)
    })
  })
}

function testOverlap(given: Given): void {
  describe('of two leases that overlap', () => {
    const endings: readonly (readonly ['narrow' | 'wide', 'narrow' | 'wide'])[] = [
      ['narrow', 'narrow'],
      ['narrow', 'wide'],
      ['wide', 'narrow'],
    ]
    test.each(endings)('closing the %s one leaves exactly what the other, %s, gives', async (ending, staying) => {
      const { probe, roles } = given()
      const first = newLease(given(), { role: roles[ending] })
      const second = newLease(given(), { role: roles[staying] })
      await opened(given(), first)
      const credential = await opened(given(), second)
      const session = await probe.openSession(credential)
      expect(await closed(given(), first.grant)).toMatchObject({ sessionsEnded: 0 })
      expect(await probe.reach(credential)).toBe(staying)
      expect(await session.alive()).toBe(true)
      await session.end()
      await closed(given(), second.grant)
    })

    test('many opened and closed at once leave nothing', async () => {
      const leases = Array.from({ length: 12 }, () => newLease(given()))
      await Promise.all(leases.map((lease) => opened(given(), lease)))
      expect(await given().connector.find()).toHaveLength(12)
      await Promise.all(leases.map(({ grant }) => closed(given(), grant)))
      expect(await given().connector.find()).toEqual([])
    })
  })
}

function testReading(given: Given): void {
  test('find sees the logins of grants, and nobody else’s', async () => {
    const { connector, probe } = given()
    const stranger = await probe.makeStranger()
    const lease = newLease(given())
    const session = await probe.openSession(await opened(given(), lease))
    const [found, ...others] = await connector.find()
    expect(others).toEqual([])
    expect(found).toMatchObject({ grant: lease.grant, expiresAt: lease.expiresAt, sessions: 1 })
    await session.end()
    await closed(given(), lease.grant)
    expect(await connector.find()).toEqual([])
    expect(await stranger.remains()).toBe(true)
  })

  test('survey sees who holds something without a grant, and not what Tidegate made', async () => {
    const { connector, probe } = given()
    const holder = await probe.makeStanding()
    const lease = newLease(given())
    const { user } = await opened(given(), lease)
    const holders = (await connector.survey()).map((standing) => standing.holder)
    expect(holders).toContain(holder)
    expect(holders).not.toContain(user)
    await closed(given(), lease.grant)
  })
}

function testAlign(given: Given): void {
  describe('align', () => {
    test('changes nothing the second time', async () => {
      await given().connector.align()
      expect(await given().connector.align()).toEqual({ outcome: 'aligned', changes: [] })
    })

    test('takes away what was given to a role by hand', async () => {
      const { connector, probe, roles } = given()
      await probe.widen(roles.narrow)
      expect(await probe.isWidened(roles.narrow)).toBe(true)
      const outcome = await connector.align()
      expect(outcome).toMatchObject({ outcome: 'aligned', changes: [expect.any(String)] })
      expect(await probe.isWidened(roles.narrow)).toBe(false)
    })
  })
}

const faultKinds: readonly Fault['when'][] = ['before', 'after']
/** No verb sends more than this. */
const mostSent = 60

/** Breaks a verb at each thing it sends, in turn, until there is none left to break. `attempt` says whether it was broken. */
async function atEachFault(when: Fault['when'], attempt: (fault: Fault) => Promise<boolean>): Promise<void> {
  for (let nth = 1; nth <= mostSent; nth++) {
    if (await attempt({ when, nth })) continue
    expect(nth).toBeGreaterThan(1)
    return
  }
  throw new Error('a verb sends too much')
}

type Broken<T> = { readonly outcome: T; readonly struck: boolean }

async function broken<T>({ faults }: Fixture, fault: Fault, work: () => Promise<T>): Promise<Broken<T>> {
  faults.arm(fault)
  const outcome = await work()
  const struck = faults.struck()
  faults.arm()
  return { outcome, struck }
}

type Outcome = { readonly outcome: string; readonly notDone?: boolean }

/** A fault that struck is told, and `notDone` is said only if the target is as it was. */
async function breakOn(
  fixture: Fixture,
  { fault, grant }: { readonly fault: Fault; readonly grant: GrantId },
  work: () => Promise<Outcome>,
): Promise<boolean> {
  const before = await fixture.probe.trace(grant)
  const { outcome, struck } = await broken(fixture, fault, work)
  expect(outcome.outcome === 'failed').toBe(struck)
  if (outcome.notDone === true) expect(await fixture.probe.trace(grant)).toBe(before)
  return struck
}

function testFaults(given: Given): void {
  describe.each(faultKinds)('with the connection lost %s each thing that is sent', (when) => {
    test('open tells, and works when called again', () =>
      atEachFault(when, async (fault) => {
        const { connector, probe } = given()
        const lease = newLease(given())
        const struck = await breakOn(given(), { fault, grant: lease.grant }, () => connector.open(lease))
        expect(await probe.reach(await opened(given(), lease))).toBe('narrow')
        await closed(given(), lease.grant)
        expect(await probe.exists(lease.grant)).toBe(false)
        return struck
      }))

    test('open of an open lease tells, and works when called again', () =>
      atEachFault(when, async (fault) => {
        const { connector, probe } = given()
        const lease = newLease(given())
        await opened(given(), lease)
        const struck = await breakOn(given(), { fault, grant: lease.grant }, () => connector.open(lease))
        expect(await probe.reach(await opened(given(), lease))).toBe('narrow')
        await closed(given(), lease.grant)
        return struck
      }))

    test('a failed open leaves nothing after a close', () =>
      atEachFault(when, async (fault) => {
        const { connector, probe } = given()
        const lease = newLease(given())
        const struck = await breakOn(given(), { fault, grant: lease.grant }, () => connector.open(lease))
        await closed(given(), lease.grant)
        expect(await probe.exists(lease.grant)).toBe(false)
        return struck
      }))

    test('moving the end tells, and arrives when called again', () =>
      atEachFault(when, async (fault) => {
        const { connector, probe } = given()
        const lease = newLease(given())
        const credential = await opened(given(), lease)
        const later = { ...lease, expiresAt: instant(lease.expiresAt + hour) }
        const struck = await breakOn(given(), { fault, grant: lease.grant }, () => connector.moveEnd(later))
        expect(await connector.moveEnd(later)).toEqual({ outcome: 'moved' })
        expect((await connector.find())[0]).toMatchObject({ grant: lease.grant, expiresAt: later.expiresAt })
        expect(await probe.reach(credential)).toBe('narrow')
        await closed(given(), lease.grant)
        return struck
      }))

    test('moving the end of what is being closed opens nothing again', () =>
      atEachFault(when, async (fault) => {
        const { connector, probe } = given()
        const lease = newLease(given())
        const credential = await opened(given(), lease)
        const { struck } = await broken(given(), fault, () => connector.close(lease.grant))
        const shut = (await probe.reach(credential)) === 'nothing'
        await connector.moveEnd({ ...lease, expiresAt: instant(lease.expiresAt + hour) })
        if (shut) expect(await probe.reach(credential)).toBe('nothing')
        await closed(given(), lease.grant)
        expect(await probe.exists(lease.grant)).toBe(false)
        return struck
      }))

    test('close tells, and goes on where it was', () =>
      atEachFault(when, async (fault) => {
        const { connector, probe } = given()
        const lease = newLease(given())
        const credential = await opened(given(), lease)
        const session = await probe.openSession(credential)
        const ownerNow = await probe.leaveObject(credential)
        const struck = await breakOn(given(), { fault, grant: lease.grant }, () => connector.close(lease.grant))
        await closed(given(), lease.grant)
        await session.closed
        expect(await probe.exists(lease.grant)).toBe(false)
        expect(await probe.reach(credential)).toBe('nothing')
        expect(await ownerNow()).toBe(probe.heir)
        return struck
      }))

    test('align tells, and arrives when called again', () =>
      atEachFault(when, async (fault) => {
        const { connector, probe, roles } = given()
        await probe.widen(roles.narrow)
        const { outcome, struck } = await broken(given(), fault, () => connector.align())
        expect(outcome.outcome).toBe(struck ? 'failed' : 'aligned')
        if (outcome.outcome === 'failed' && outcome.notDone) expect(await probe.isWidened(roles.narrow)).toBe(true)
        expect(await connector.align()).toMatchObject({ outcome: 'aligned' })
        expect(await probe.isWidened(roles.narrow)).toBe(false)
        expect(await connector.align()).toEqual({ outcome: 'aligned', changes: [] })
        return struck
      }))

    test.each(['find', 'survey'] as const)('%s says so rather than that there is nothing', (verb) =>
      atEachFault(when, async (fault) => {
        const { connector } = given()
        const { outcome, struck } = await broken(given(), fault, () =>
          connector[verb]().then(
            () => 'answered',
            (error: unknown) => (isTargetFault(error) ? 'failed' : 'failed without saying how'),
          ),
        )
        expect(outcome).toBe(struck ? 'failed' : 'answered')
        return struck
      }),
    )
  })
}
