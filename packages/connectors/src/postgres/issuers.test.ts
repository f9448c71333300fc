import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTarget, type Target as Harness } from '../../../../tests/support/target.ts'
import { newLease, openTarget, type UnderTest } from '../testing/postgres-target.ts'
import { issuerNames, issuerOf, marks } from './names.ts'

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

test('the admin login administers no login of a grant, its issuer does, and nothing of it is left afterwards', async () => {
  const { target } = await given()
  await target.connector.align()
  const before = await administeredBy(target, harness.admin.user)
  const leases = Array.from({ length: 20 }, () => newLease('narrow'))
  for (const lease of leases) expect(await target.connector.open(lease)).toMatchObject({ outcome: 'opened' })
  expect(await administeredBy(target, harness.admin.user)).toEqual(before)
  for (const { grant } of leases) {
    const roles = await administeredBy(target, issuerOf(target.config, grant))
    expect(roles.map(({ role }) => role)).toContain(`${target.config.rolePrefix}${grant}`)
  }
  const outcomes = await Promise.all(leases.map(({ grant }) => target.connector.close(grant)))
  expect(outcomes).toEqual(leases.map(() => ({ outcome: 'closed', existed: true, sessionsEnded: 0 })))
  expect(await target.connector.find()).toEqual([])
  await target.cleanup()
})

test('the grants of a company are spread over all of them', () => {
  const config = { rolePrefix: 'tidegate_' }
  const used = new Map<string, number>()
  for (let n = 0; n < 4_000; n++) {
    const issuer = issuerOf(config, newLease('narrow').grant)
    used.set(issuer, (used.get(issuer) ?? 0) + 1)
  }
  expect(new Set(used.keys())).toEqual(new Set(issuerNames(config)))
  expect(Math.max(...used.values())).toBeLessThan(500)
})

test('what someone changed about them is put right', async () => {
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

test('a role of that name that Tidegate did not make is left alone', async () => {
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

test('one that was dropped by hand is missed with a remedy, and made again', async () => {
  const { target } = await given()
  await target.connector.align()
  const lease = newLease('narrow')
  const issuer = issuerOf(target.config, lease.grant)
  await target.ask(`DROP OWNED BY "${issuer}"; DROP ROLE "${issuer}"`)
  expect(await target.connector.open(lease)).toEqual(problem('run tidegate apply'))
  await target.connector.align()
  expect(await target.connector.open(lease)).toMatchObject({ outcome: 'opened' })
  expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'closed' })
  await target.cleanup()
})

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

test('a survey does not speak of them, but of whoever was let in on one', async () => {
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
