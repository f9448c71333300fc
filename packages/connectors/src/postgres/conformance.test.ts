import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { narrowAndWide, newGrant, openTarget, type UnderTest } from '../testing/postgres-target.ts'
import { type Fixture, type Probe, type ProbeSession, testConnector } from '../conformance.ts'
import type { Credential } from '../contract.ts'

testConnector({ name: 'the connector for PostgreSQL', create: createFixture })

async function createFixture(): Promise<Fixture> {
  const made: string[] = []
  const target = await openTarget({ roles: narrowAndWide })
  return {
    connector: target.connector,
    faults: target.faults,
    probe: createProbe(target, made),
    roles: { narrow: 'narrow', wide: 'wide' },
    now: Date.now,
    cleanup: async () => {
      for (const role of made) await target.ask(`DROP OWNED BY "${role}"; DROP ROLE "${role}"`)
      await target.cleanup()
    },
  }
}

const tables = { narrow: ['orders', 'order_items'], others: ['customers', 'products', 'open_orders'] }

function createProbe(target: UnderTest, made: string[]): Probe {
  const { ask, config, harness, group } = target
  const makeRole = async (role: string, text: string): Promise<void> => {
    made.push(role)
    await ask(text)
  }
  return {
    heir: harness.owner,
    reach: (credential) => reach(target, credential),
    openSession: async (credential) => sessionOf(await target.loginAs(credential)),
    exists: async (grant) =>
      (await ask('SELECT FROM pg_authid WHERE rolname = $1', [`${config.rolePrefix}${grant}`])).length > 0,
    trace: async (grant) => JSON.stringify(await ask(traceSql, [`${config.rolePrefix}${grant}`])),
    leaveObject: async (credential) => {
      const client = await target.loginAs(credential)
      const { rows } = await client.query<{ oid: number }>('SELECT lo_create(0) AS oid')
      await client.end()
      return async () => {
        const [row] = await ask<{ owner: string }>(
          'SELECT lomowner::regrole::text AS owner FROM pg_largeobject_metadata WHERE oid = $1',
          [rows[0]?.oid],
        )
        return row?.owner ?? 'nobody'
      }
    },
    widen: async (role) => void (await ask(`GRANT TRUNCATE ON shop.customers TO "${group(role)}"`)),
    isWidened: async (role) => {
      const [row] = await ask<{ has: boolean }>("SELECT has_table_privilege($1, 'shop.customers', 'TRUNCATE') AS has", [
        group(role),
      ])
      return row?.has === true
    },
    makeStranger: async () => {
      const grant = newGrant()
      const role = `${config.rolePrefix}${grant}`
      const mark = `tidegate resource=another-db grant=${grant}`
      await makeRole(role, `CREATE ROLE "${role}" LOGIN; COMMENT ON ROLE "${role}" IS '${mark}'`)
      return { grant, remains: async () => (await ask('SELECT FROM pg_roles WHERE rolname = $1', [role])).length === 1 }
    },
    makeStanding: async () => {
      const role = `analyst_${randomBytes(4).toString('hex')}`
      await makeRole(role, `CREATE ROLE ${role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA shop TO ${role}`)
      return role
    },
  }
}

const traceSql = `
  SELECT r.rolpassword, r.rolcanlogin, r.rolvaliduntil, r.rolconnlimit, shobj_description(r.oid, 'pg_authid') AS mark,
    ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid ORDER BY 1) AS member_of,
    ARRAY(SELECT member::regrole::text FROM pg_auth_members WHERE roleid = r.oid ORDER BY 1) AS members,
    (SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid) AS dependents
  FROM pg_authid r WHERE r.rolname = $1`

async function reach(target: UnderTest, credential: Credential): Promise<'nothing' | 'narrow' | 'wide'> {
  const client = await target.loginAs(credential).catch(() => undefined)
  if (client === undefined) return 'nothing'
  const may = (text: string): Promise<boolean> =>
    client.query(text).then(
      () => true,
      () => false,
    )
  const reads = async (names: readonly string[]): Promise<readonly boolean[]> => {
    const answers: boolean[] = []
    for (const name of names) answers.push(await may(`SELECT count(*) FROM ${name}`))
    return answers
  }
  try {
    const narrow = await reads(tables.narrow)
    const beyond = [...(await reads(tables.others)), await may('DELETE FROM order_items WHERE false')]
    if (narrow.includes(false)) return 'nothing'
    if (await may('TRUNCATE order_items')) throw new Error('the login may do what no role gives')
    if (!beyond.includes(false)) return 'wide'
    if (!beyond.includes(true)) return 'narrow'
    throw new Error('the login may do more than the narrow role and less than the wide one')
  } finally {
    await client.end()
  }
}

function sessionOf(client: pg.Client): ProbeSession {
  const closed = new Promise<void>((resolve) => client.once('end', () => resolve()))
  return {
    closed,
    alive: () =>
      client.query('SELECT 1').then(
        () => true,
        () => false,
      ),
    end: () => client.end(),
  }
}
