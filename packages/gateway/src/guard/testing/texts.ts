/** SQL at random over the tables of `target.test.ts`: much of it runs, some of it writes, wherever a write can hide. */

import fc from 'fast-check'

const expressions = fc.constantFrom(
  '1',
  'id',
  'name',
  'now()',
  'count(*)',
  'random()',
  `nextval('orders_id_seq')`,
  `setval('orders_id_seq', 7)`,
  `currval('orders_id_seq')`,
  'pg_advisory_lock(1)',
  `pg_notify('c', 'x')`,
  `set_config('role', 'pg_monitor', false)`,
  `set_config('work_mem', '1MB', false)`,
  `set_config('default_transaction_read_only', 'off', false)`,
  'lo_creat(-1)',
  `lo_from_bytea(0, 'x')`,
  `upper(name)`,
  `(SELECT max(id) FROM orders)`,
  'ARRAY(SELECT id FROM customers)',
  `query_to_xml('DELETE FROM orders', true, true, '')`,
  'txid_current()',
  'pg_current_xact_id()',
  `to_regclass('orders')`,
  `CASE WHEN id > 1 THEN 'a' ELSE E'\\n' END`,
  `'1'::int + id`,
  'row_number() OVER (ORDER BY id)',
  `pg_column_size(id)`,
  'pg_stat_reset()',
  `pg_create_restore_point('x')`,
)

const tables = fc.constantFrom(
  'customers',
  'orders',
  'v',
  'm',
  'public.orders',
  'generate_series(1, 3) AS g(id)',
  'pg_class',
  'pg_settings',
)

const locks = fc.constantFrom('', '', '', ' FOR UPDATE', ' FOR KEY SHARE', ' LIMIT 1', ' ORDER BY 1')

const selects = fc
  .tuple(expressions, tables, fc.constantFrom('', ' WHERE true', ' WHERE id = 1', ' GROUP BY id'), locks)
  .map(([what, from, where, lock]) => `SELECT ${what} FROM ${from}${where}${lock}`)

const writes = fc.constantFrom(
  'DELETE FROM orders RETURNING id',
  'DELETE FROM orders WHERE id = 1',
  `UPDATE orders SET note = 'x' WHERE id = 2 RETURNING id`,
  `INSERT INTO orders (note) VALUES ('x') RETURNING id`,
  `INSERT INTO customers VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x' RETURNING id`,
  `MERGE INTO orders o USING customers c ON o.customer_id = c.id WHEN MATCHED THEN DELETE`,
  'UPDATE v SET name = name',
  'TRUNCATE orders',
)

const others = fc.constantFrom(
  'BEGIN',
  'BEGIN READ WRITE',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT s',
  'SET TRANSACTION READ WRITE',
  'SET default_transaction_read_only = off',
  'SET default_transaction_read_only = on',
  'SET transaction_read_only = false',
  'RESET default_transaction_read_only',
  'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
  'SET ROLE pg_monitor',
  'RESET ALL',
  'DISCARD ALL',
  'DISCARD PLANS',
  'SET search_path = pg_catalog',
  'LOCK TABLE orders',
  'NOTIFY c',
  'LISTEN c',
  'CALL p()',
  'CREATE TABLE t (a int)',
  'CREATE TEMP TABLE t (a int)',
  'CREATE SEQUENCE s',
  'DROP TABLE orders',
  'DROP VIEW v',
  'ALTER TABLE orders ADD COLUMN x int',
  'REFRESH MATERIALIZED VIEW m',
  `COMMENT ON TABLE orders IS 'x'`,
  'CREATE INDEX ON orders (note)',
  'REINDEX TABLE orders',
  'ANALYZE orders',
  `DO $$ BEGIN DELETE FROM orders; END $$`,
  `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
  'EXECUTE q',
  'FETCH ALL FROM c',
  'SHOW work_mem',
  'VALUES (1), (2)',
  'TABLE orders',
)

const wrapped = fc
  .oneof(selects, writes)
  .chain((inner) =>
    fc.constantFrom(
      inner,
      `EXPLAIN ${inner}`,
      `EXPLAIN (ANALYZE) ${inner}`,
      `WITH w AS (${inner}) SELECT * FROM w`,
      `WITH w AS MATERIALIZED (SELECT 1 AS id), x AS (${inner}) SELECT * FROM w, x`,
      `PREPARE q AS ${inner}`,
      `PREPARE q AS ${inner}; EXECUTE q`,
      `PREPARE q AS ${inner}; EXPLAIN ANALYZE EXECUTE q`,
      `BEGIN; DECLARE c CURSOR FOR ${inner}; FETCH 1 FROM c; CLOSE c; COMMIT`,
      `COPY (${inner}) TO STDOUT`,
      `CREATE TABLE made AS ${inner}`,
      `CREATE TEMP VIEW made AS ${inner}`,
      `SELECT * FROM (${inner}) s`,
      `SELECT EXISTS (${inner})`,
      `INSERT INTO orders (customer_id) ${inner}`,
      `SELECT 1 UNION ALL (${inner})`,
      inner.replace(' FROM ', ' INTO made FROM '),
    ),
  )

export const statementTexts: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: wrapped },
  { weight: 2, arbitrary: selects },
  { weight: 2, arbitrary: others },
)

/** One a line. */
const lines = (text: string): fc.Arbitrary<string> => fc.constantFrom(...text.split('\n').map((line) => line.trim()))

const shown = lines(`1
  id
  name
  email
  *
  c
  customers
  c.id
  c.name
  c.email
  c.*
  count(*)
  count(c)
  customers.email
  public.customers.email
  customers.*
  customers.id
  o
  o.*
  o.id
  j
  j.email
  j.*
  j.to_jsonb
  to_jsonb(c)
  c.to_jsonb
  c.any_value
  (c).email
  (c).id
  (c.*).email
  email(c)
  c::text
  ROW(c.*)
  max(email)
  max(id)
  array_agg(c)
  x
  z
  'email'
  1 AS email
  (SELECT email FROM customers LIMIT 1)
  (SELECT count(*) FROM customers)
  EXISTS (SELECT FROM customers)
  (SELECT c.email)
  (SELECT id FROM orders LIMIT 1)
  json_object(name: c.email)
  COALESCE(c.email, c.name)`)

const froms = lines(`customers
  customers c
  public.customers c
  ONLY customers c
  "customers" c
  orders o
  orders
  v c
  orders o, customers c
  orders o CROSS JOIN customers c
  orders o JOIN customers c USING (id)
  orders o NATURAL JOIN customers c
  customers AS c(x, y, z)
  (customers c CROSS JOIN orders o) AS j
  customers c JOIN customers o USING (email)
  orders o JOIN customers c USING (id) AS j
  orders customers
  (SELECT * FROM customers) c
  (SELECT id FROM customers) c
  (SELECT c FROM customers c) o
  (TABLE customers) j
  (WITH customers AS (SELECT 1 AS id) SELECT * FROM customers) c
  customers c TABLESAMPLE SYSTEM (50)
  orders o, LATERAL (SELECT * FROM customers WHERE id = o.id) c
  customers o, (SELECT 1 AS email) c
  ROWS FROM (generate_series(1, 2)) AS c(id)
  (VALUES (1)) AS c(id)
  customers c, LATERAL to_jsonb(c) o`)

/** After FROM; often nothing. */
const conditions = fc.oneof(
  fc.constant(''),
  lines(`WHERE c.id = 1
  WHERE id = 1
  WHERE email IS NULL
  WHERE c IS NOT NULL
  ORDER BY email
  ORDER BY 1
  GROUP BY id
  GROUP BY email
  FOR UPDATE
  FOR SHARE OF c
  LIMIT 1
  WHERE EXISTS (SELECT 1 FROM customers k WHERE k.id = 1)
  WHERE id IN (SELECT id FROM customers)`).map((condition) => ` ${condition}`),
)

const queries = fc
  .tuple(shown, shown, froms, conditions)
  .map(([one, two, from, condition]) => `SELECT ${one}, ${two} FROM ${from}${condition}`)

const changes = fc.oneof(
  fc.constantFrom(
    'TABLE customers',
    'LOCK TABLE customers',
    'TRUNCATE orders, customers',
    'CREATE TABLE t (LIKE customers)',
  ),
  fc.constantFrom('COPY customers TO STDOUT', 'COPY customers (id) TO STDOUT', 'COPY customers (email) TO STDOUT'),
  fc.tuple(shown, conditions).map(([what, condition]) => `DELETE FROM customers c${condition} RETURNING ${what}`),
  shown.map((what) => `UPDATE orders o SET note = 'x' FROM customers c WHERE o.id = c.id RETURNING ${what}`),
  fc
    .tuple(fc.constantFrom('name', 'email', '(id, email)', '(id, name)'), shown)
    .map(([column, what]) => `UPDATE customers c SET ${column} = ROW(9, 'x') WHERE id = 9 RETURNING ${what}`),
  fc
    .tuple(
      fc.constantFrom('', ' (id)', ' (id, name)', ' (id, email)'),
      fc.constantFrom('NOTHING', `UPDATE SET name = ''`, `UPDATE SET email = ''`),
    )
    .map(([columns, action]) => `INSERT INTO customers${columns} SELECT id FROM orders ON CONFLICT (id) DO ${action}`),
  queries.map((query) => `INSERT INTO orders (id) ${query}`),
  fc
    .constantFrom('DELETE', `UPDATE SET name = ''`, `UPDATE SET email = o.note`)
    .map((action) => `MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN ${action}`),
  fc
    .constantFrom(`VALUES (99)`, `(id) VALUES (99)`, `(email) VALUES ('x')`)
    .map((values) => `MERGE INTO customers c USING orders o ON c.id = -o.id WHEN NOT MATCHED THEN INSERT ${values}`),
)

/** Ways to a table, and to one of its columns, and to things that are called like them. */
export const customersTexts: fc.Arbitrary<string> = fc
  .oneof({ weight: 3, arbitrary: queries }, changes)
  .chain((inner) =>
    fc.constantFrom(
      inner,
      inner,
      `WITH w AS (${inner}) SELECT * FROM w`,
      `WITH w AS (${inner}) SELECT count(*) FROM w`,
      `WITH customers AS (${inner}) SELECT count(*) FROM customers`,
      `WITH RECURSIVE customers AS (${inner}) SELECT count(*) FROM customers`,
      `WITH customers AS (SELECT 1 AS id, '' AS email) ${inner}`,
      `WITH a AS (SELECT 1), customers AS (SELECT 1 AS id) SELECT * FROM a, (${inner}) b`,
      `EXPLAIN ${inner}`,
      `DECLARE k CURSOR FOR ${inner}`,
      `PREPARE q AS ${inner}; EXECUTE q`,
      `COPY (${inner}) TO STDOUT`,
      `CREATE TABLE made AS ${inner}`,
      `SELECT 1 FROM orders WHERE EXISTS (${inner})`,
      `SELECT * FROM orders UNION ALL ${inner}`,
    ),
  )
