import { afterAll, beforeAll, expect, test } from 'vitest'
import { isTargetBefore16 } from '../../../../tests/support/databases.ts'
import { createTarget, type Target as Harness } from '../../../../tests/support/target.ts'
import { newLease, openTarget, targetOf, type UnderTest } from '../testing/postgres-target.ts'
import { createIssuing } from './issuers.ts'
import { issuerNames, marks } from './names.ts'

let harness: Harness
beforeAll(async () => {
  harness = await createTarget()
})
afterAll(() => harness.drop())

const problem = (message: string) => ({
  outcome: 'failed',
  notDone: true,
  cause: 'misconfigured',
  message: expect.stringContaining(message) as string,
})

async function given(): Promise<{ readonly target: UnderTest; readonly issuers: readonly [string, ...string[]] }> {
  const target = await openTarget({ harness })
  return { target, issuers: issuerNames(target.config) as [string, ...string[]] }
}

const administeredBy = (target: UnderTest, member: string) =>
  target.ask<{ role: string }>(
    'SELECT roleid::regrole::text AS role FROM pg_auth_members WHERE member = $1::regrole AND admin_option',
    [`"${member}"`],
  )

test.skipIf(isTargetBefore16())(
  'the admin login administers no login of a grant, an issuer does, and nothing of it is left afterwards',
  async () => {
    const { target, issuers } = await given()
    await target.connector.align()
    const before = await administeredBy(target, harness.admin.user)
    const leases = Array.from({ length: 60 }, () => newLease('narrow'))
    for (const lease of leases) expect(await target.connector.open(lease)).toMatchObject({ outcome: 'opened' })
    expect(await administeredBy(target, harness.admin.user)).toEqual(before)
    const made = await Promise.all(issuers.map((issuer) => administeredBy(target, issuer)))
    const logins = made.flatMap((roles) => roles.map(({ role }) => role).filter((role) => role.includes('grt_')))
    expect(logins.toSorted()).toEqual(leases.map(({ grant }) => `${target.config.rolePrefix}${grant}`).toSorted())
    const outcomes = await Promise.all(leases.map(({ grant }) => target.connector.close(grant)))
    expect(outcomes).toEqual(leases.map(() => ({ outcome: 'closed', existed: true, sessionsEnded: 0 })))
    expect(await target.connector.find()).toEqual([])
    await target.cleanup()
  },
)

test('in the long run each makes as many as any other', async () => {
  const { target } = await given()
  const issue = createIssuing(targetOf(harness, {}))
  const made = new Map<string, number>()
  for (let n = 0; n < 10_000; n++) {
    const text = issue({ serverVersion: 160_000 }, 4)
    made.set(text, (made.get(text) ?? 0) + 4)
  }
  expect(made.size).toBe(issuerNames(target.config).length)
  expect(Math.max(...made.values())).toBeLessThan(2 * (40_000 / made.size))
  expect(issue({ serverVersion: 150_000 }, 1)).toBe('')
  await target.cleanup()
})

test('a login that the admin itself made, as before there were issuers, is closed and opened again like any other', async () => {
  const { target } = await given()
  await target.connector.align()
  const [first, second] = [newLease('narrow'), newLease('narrow')]
  const admin = await target.loginAs({ user: harness.admin.user, secret: harness.admin.password })
  for (const { grant } of [first, second]) {
    await admin.query(`CREATE ROLE "${target.config.rolePrefix}${grant}" LOGIN`)
  }
  await admin.end()
  expect(await target.connector.open(first)).toMatchObject({ outcome: 'opened' })
  expect(await target.connector.moveEnd(second)).toEqual({ outcome: 'moved' })
  const third = newLease('narrow')
  expect(await target.connector.open(third)).toMatchObject({ outcome: 'opened' })
  const closing = [first, second, third].map(({ grant }) => target.connector.close(grant))
  const closed = { outcome: 'closed', existed: true, sessionsEnded: 0 }
  expect(await Promise.all(closing)).toEqual([closed, closed, closed])
  await target.cleanup()
})

test.skipIf(isTargetBefore16())('what someone changed about them is put right', async () => {
  const { target, issuers } = await given()
  const [first] = issuers
  await target.connector.align()
  await target.ask(`ALTER ROLE "${first}" LOGIN NOCREATEROLE`)
  await target.ask(`REVOKE "${target.group('narrow')}" FROM "${first}" GRANTED BY ${harness.admin.user} CASCADE`)
  await target.ask(`REVOKE "${first}" FROM ${harness.admin.user} GRANTED BY ${harness.admin.user}`)
  expect(await target.connector.align()).toEqual({
    outcome: 'aligned',
    changes: [
      `make ${first} a role without login that makes roles`,
      `let the admin login act as ${first}`,
      `let 1 issuers make members of ${target.group('narrow')}`,
    ],
  })
  expect(await target.connector.align()).toEqual({ outcome: 'aligned', changes: [] })
  await target.ask(`ALTER ROLE "${first}" SUPERUSER`)
  expect(await target.connector.align()).toMatchObject({
    outcome: 'failed',
    cause: 'refused',
    message: expect.stringContaining(`someone gave ${first} SUPERUSER`) as string,
  })
  expect(await target.connector.survey()).toContainEqual(
    expect.objectContaining({ holder: first, kind: 'superuser', risk: 'admin' }),
  )
  await target.ask(`ALTER ROLE "${first}" NOSUPERUSER`)
  await target.cleanup()
})

test.skipIf(isTargetBefore16())('a role of that name that Tidegate did not make is left alone', async () => {
  const { target, issuers } = await given()
  await target.ask(`CREATE ROLE "${issuers[3]}" LOGIN`)
  expect(await target.connector.align()).toEqual(problem('that Tidegate did not make; choose another'))
  expect(
    await target.ask("SELECT 1 FROM pg_roles WHERE rolname LIKE $1 || '%'", [issuers[0].slice(0, -1)]),
  ).toHaveLength(1)
  await target.ask(`COMMENT ON ROLE "${issuers[3]}" IS '${marks.issuer}'`)
  expect(await target.connector.align()).toEqual(problem('that another admin login made; choose another'))
  await target.ask(`DROP ROLE "${issuers[3]}"`)
  await target.cleanup()
})

test.skipIf(isTargetBefore16())(
  'those that were dropped by hand are missed with a remedy, and made again',
  async () => {
    const { target, issuers } = await given()
    await target.connector.align()
    const lease = newLease('narrow')
    for (const issuer of issuers) await target.ask(`DROP OWNED BY "${issuer}"; DROP ROLE "${issuer}"`)
    expect(await target.connector.open(lease)).toEqual(problem('run tidegate apply'))
    await target.connector.align()
    expect(await target.connector.open(lease)).toMatchObject({ outcome: 'opened' })
    expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'closed' })
    await target.cleanup()
  },
)

test('resources of one prefix share them, also when both are aligned at once', async () => {
  const first = await openTarget({ harness, roles: [] })
  const config = { rolePrefix: first.config.rolePrefix }
  const second = await openTarget({ harness, config, resource: 'stock-db', roles: [] })
  const both = await Promise.all([first.connector.align(), second.connector.align()])
  expect(both).toEqual([
    expect.objectContaining({ outcome: 'aligned' }),
    expect.objectContaining({ outcome: 'aligned' }),
  ])
  await first.cleanup()
  await second.cleanup()
})

test.skipIf(isTargetBefore16())('a survey does not speak of them, but of whoever was let in on one', async () => {
  const { target, issuers } = await given()
  await target.connector.align()
  const own = `${target.config.rolePrefix}issuer_`
  const said = async () => (await target.connector.survey()).filter((one) => JSON.stringify(one).includes(own))
  expect(await said()).toEqual([])
  const stranger = `${issuers[0]}_friend`
  await target.ask(`CREATE ROLE "${stranger}" LOGIN; GRANT "${issuers[0]}" TO "${stranger}"`)
  expect(await said()).toContainEqual(
    expect.objectContaining({
      holder: stranger,
      kind: 'membership',
      what: `member of ${issuers[0]}`,
      risk: 'elevated',
    }),
  )
  await target.ask(`DROP ROLE "${stranger}"`)
  await target.cleanup()
})
