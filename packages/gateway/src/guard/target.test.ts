/** The guard against the PostgreSQL that would run what it lets through. */

import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, uniqueName, type TestDatabase } from '../../../../tests/support/databases.ts'
import { changingFunctions, dangerousFunctions } from './functions.ts'
import { createGuards } from './guard.ts'
import { nameMatcher } from './names.ts'
import type { GuardRules } from './rules.ts'
import type { Guard } from './ruling.ts'
import { attackGroups, everyday } from './testing/attacks.ts'
import { mutated } from './testing/mutations.ts'
import { customersTexts, statementTexts } from './testing/texts.ts'

let database: TestDatabase
let client: pg.Client
let readOnly: Guard
let guardFor: (rules: GuardRules) => Guard

const schema = `
  CREATE TABLE customers (id int PRIMARY KEY, name text, email text);
  CREATE TABLE orders (id serial PRIMARY KEY, customer_id int REFERENCES customers, note text);
  INSERT INTO customers SELECT i, 'name ' || i, 'mail' || i || '@example.org' FROM generate_series(1, 5) i;
  INSERT INTO orders (customer_id, note) SELECT i, 'note ' || i FROM generate_series(1, 5) i;
  CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM orders;
  CREATE VIEW v AS SELECT id, name FROM customers;
  CREATE PROCEDURE p() LANGUAGE sql AS 'DELETE FROM orders';
`

beforeAll(async () => {
  database = await createTestDatabase('target')
  client = new pg.Client(database.url)
  client.on('error', () => undefined)
  await client.connect()
  await client.query(schema)
  const guards = await createGuards()
  guardFor = guards.guardFor
  readOnly = guards.guardFor({ readOnly: true })
})

afterAll(async () => {
  await client.end()
  await database.drop()
})

/** Its SQLSTATE where it fails. As the superuser, so that nothing but the guard stands in the way. */
async function run(text: string): Promise<string | undefined> {
  try {
    await client.query(text)
    return undefined
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

/** Everything in the database that a statement could have changed and left behind. */
async function contents(): Promise<unknown> {
  const { rows } = await client.query(`
    SELECT
      (SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM customers t) AS customers,
      (SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM orders t) AS orders,
      (SELECT n FROM m) AS m,
      (SELECT last_value || is_called::text FROM orders_id_seq) AS sequence,
      (SELECT string_agg(oid || relname || relfilenode || relnatts, ',' ORDER BY oid) FROM pg_class WHERE oid >= 16384) AS classes,
      (SELECT count(*) FROM pg_proc WHERE oid >= 16384) AS functions,
      (SELECT count(*) FROM pg_type WHERE oid >= 16384) AS types,
      (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_toast|^pg_temp') AS schemas,
      (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects,
      (SELECT count(*) FROM pg_description WHERE objoid >= 16384) AS comments,
      (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS advisory_locks,
      (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()) AS prepared_transactions,
      current_user AS acting,
      current_setting('search_path') AS search_path,
      current_setting('standard_conforming_strings') AS strings,
      current_setting('client_encoding') AS encoding
  `)
  return rows[0]
}

const isAllowed = (text: string): boolean => readOnly.judge(text).ruling === 'allow'

/** As a session begins with the gateway, in read-only access. */
async function begin(reading: boolean): Promise<void> {
  await client.query('ROLLBACK')
  await client.query('CLOSE ALL')
  await client.query('DEALLOCATE ALL')
  await client.query(`SET default_transaction_read_only = ${reading ? 'on' : 'off'}`)
  await client.query('SET statement_timeout = 5000')
}

/** PostgreSQL's word for a write in a read-only transaction. */
const wouldWrite = '25006'

describe('what read-only access lets through', () => {
  const attackTexts = Object.values(attackGroups).flatMap(({ attacks }) => attacks.map(([, text]) => text))

  const text = fc.oneof(
    statementTexts,
    fc.array(statementTexts, { minLength: 1, maxLength: 3 }).map((texts) => texts.join('; ')),
    fc
      .tuple(fc.constantFrom(...everyday, ...attackTexts), fc.infiniteStream(fc.nat(999)))
      .map(([attack, choices]) => mutated(attack, choices)),
  )

  test('is let through by PostgreSQL in a read-only transaction', async () => {
    let allowed = 0
    await fc.assert(
      fc.asyncProperty(text, async (candidate) => {
        if (!isAllowed(candidate)) return
        allowed += 1
        await begin(true)
        expect(await run(candidate), candidate).not.toBe(wouldWrite)
      }),
      { numRuns: 1200 },
    )
    expect(allowed).toBeGreaterThan(100)
  }, 120_000)

  test('changes nothing where nothing else stands in the way', async () => {
    // Whatever came last may have left a transaction open.
    await begin(false)
    const before = await contents()
    let succeeded = 0
    await fc.assert(
      fc.asyncProperty(text, async (candidate) => {
        if (!isAllowed(candidate)) return
        await begin(false)
        if ((await run(candidate)) === undefined) succeeded += 1
        await run('COMMIT')
        expect(await contents(), candidate).toEqual(before)
      }),
      { numRuns: 600 },
    )
    expect(succeeded).toBeGreaterThan(30)
  }, 120_000)

  test('would be noticed if it were not so', async () => {
    await begin(false)
    const before = await contents()
    await run('BEGIN')
    await run(`SELECT nextval('orders_id_seq')`)
    expect(await contents()).not.toEqual(before)
    await run('ROLLBACK')
    await run(`SELECT setval('orders_id_seq', 5, true)`)
    await begin(true)
    expect(await run('DELETE FROM orders')).toBe(wouldWrite)
    expect(await contents()).toEqual(before)
  })

  test.each(everyday.filter((everydayText) => !everydayText.includes('$1::int')))(
    'is taken by PostgreSQL: %s',
    async (candidate) => {
      await begin(true)
      if (/^(?:SAVEPOINT|DECLARE|COMMIT)/.test(candidate)) await run('BEGIN')
      expect(await run(candidate)).toBeUndefined()
    },
  )
})

/** What PostgreSQL says that a role without the privilege may not do, a guard with the rule has to have refused. */
describe.each<readonly [string, { readonly privileges: string; readonly rules: GuardRules }]>([
  [
    'a table that is denied',
    {
      privileges: '',
      rules: { tables: { deny: [{ schema: 'public', table: 'customers' }] } },
    },
  ],
  [
    'tables that are allowed',
    {
      privileges: '',
      rules: {
        tables: {
          allow: [
            { schema: 'public', table: 'orders' },
            { schema: 'public', table: 'v' },
          ],
        },
        searchPath: ['public'],
      },
    },
  ],
  [
    'columns that are kept back',
    {
      privileges: `
        GRANT DELETE, TRUNCATE, TRIGGER, REFERENCES ON customers TO reader;
        GRANT SELECT (id, name), INSERT (id, name), UPDATE (id, name) ON customers TO reader;`,
      rules: { columns: [{ table: { schema: 'public', table: 'customers' }, deny: ['email'] }] },
    },
  ],
])('a rule about %s', (_name, { privileges, rules }) => {
  test('refuses what PostgreSQL would refuse to a role without the privilege', async () => {
    const reader = uniqueName('reader')
    const guard = guardFor(rules)
    await begin(false)
    await client.query(`CREATE ROLE ${reader}; GRANT ALL ON orders, v, m, orders_id_seq TO ${reader}`)
    await client.query(`${privileges.replaceAll('reader', reader)}; GRANT CREATE ON SCHEMA public TO ${reader}`)
    const seen = { allowed: 0, refused: 0 }
    try {
      await fc.assert(
        fc.asyncProperty(customersTexts, async (text) => {
          const isLetThrough = guard.judge(text).ruling === 'allow'
          await begin(false)
          const denied = await deniedTo(reader, text)
          if (isLetThrough) expect(denied, text).toBe(false)
          seen[isLetThrough ? 'allowed' : 'refused'] += 1
        }),
        { numRuns: 600 },
      )
    } finally {
      await client.query(`ROLLBACK; DROP OWNED BY ${reader}; DROP ROLE ${reader}`)
    }
    expect(seen.allowed).toBeGreaterThan(20)
    expect(seen.refused).toBeGreaterThan(80)
  }, 120_000)
})

/** Whether PostgreSQL keeps the table, or a column of it, from the role. What the text does is undone. */
async function deniedTo(role: string, text: string): Promise<boolean> {
  await client.query(`BEGIN; SET LOCAL ROLE ${role}`)
  try {
    await client.query(text)
    return false
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return code === '42501' && message.includes('customers')
  } finally {
    await client.query('ROLLBACK; RESET ROLE')
  }
}

describe('the functions of PostgreSQL', () => {
  const namesOf = async (query: string): Promise<readonly string[]> =>
    (await client.query<{ name: string }>(query)).rows.map(({ name }) => name)

  test('that are volatile are all known, either as harmless to a reader or as refused', async () => {
    const names = await namesOf(`
      SELECT DISTINCT proname AS name FROM pg_proc
      WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v'
        AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) AND NOT 'internal'::regtype = ANY (proargtypes)
    `)
    const isRefused = nameMatcher([
      ...dangerousFunctions.flatMap((group) => group.names),
      ...changingFunctions,
      'set_config',
    ])
    const isHarmless = nameMatcher(harmless)
    expect(names.length).toBeGreaterThan(150)
    expect(names.filter((name) => !isRefused(name) && !isHarmless(name))).toEqual([])
  })

  test('that can be written after a row, and show what is in it, are refused where a column is kept back', async () => {
    const guard = guardFor({ columns: [{ table: { table: 'customers' }, deny: ['email'] }] })
    const names = await namesOf(
      `SELECT DISTINCT proname AS name FROM pg_proc WHERE proname ~ '^[a-z_0-9]+$' ORDER BY 1`,
    )
    await begin(true)
    const showing: string[] = []
    for (const name of names.filter((candidate) => !tellNothing.includes(candidate)))
      if ((await run(`SELECT c.${name} FROM customers c`)) === undefined) showing.push(name)
    expect(showing).toEqual(expect.arrayContaining(['any_value', 'row_to_json', 'to_jsonb', 'record_send']))
    expect(showing.filter((name) => guard.judge(`SELECT c.${name} FROM customers c`).ruling !== 'refuse')).toEqual([])
  }, 120_000)
})

/** Columns of the table, and functions on a row that say how it is stored and no more. */
const tellNothing = [
  ...'id name email count num_nulls num_nonnulls pg_typeof pg_column_size'.split(' '),
  ...'pg_column_compression pg_column_toast_chunk_id'.split(' '),
]

/** Volatile because they look at the server, the clock or chance; what they leave behind is nothing, or is the session's. */
const harmless = [
  'amvalidate',
  'array_sample',
  'array_shuffle',
  'clock_timestamp',
  'current_query',
  'currtid2',
  'currval',
  'lastval',
  'gen_random_uuid',
  'loread',
  'random*',
  'setseed',
  'timeofday',
  'txid_status',
  'uuidv4',
  'uuidv7',
  'pg_available_wal_summaries',
  'pg_blocking_pids',
  'pg_safe_snapshot_blocking_pids',
  'pg_isolation_test_session_is_blocked',
  'pg_*collation_actual_version',
  'pg_control_*',
  'pg_current_wal_*',
  'pg_database_size',
  'pg_*_size',
  'pg_export_snapshot',
  'pg_get_*',
  'pg_is_*',
  'pg_jit_available',
  'pg_last_*',
  'pg_lock_status',
  'pg_notification_queue_usage',
  'pg_partition_ancestors',
  'pg_partition_tree',
  'pg_prepared_xact',
  'pg_sequence_last_value',
  'pg_show_replication_origin_status',
  'pg_sleep*',
  'pg_stat_clear_snapshot',
  'pg_stat_get_*',
  'pg_stat_have_stats',
  'pg_wal_summary_contents',
  'pg_xact_*',
]
