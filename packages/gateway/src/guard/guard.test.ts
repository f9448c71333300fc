import type { Millis } from '@tidegate/core'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { createGuards, type Guards } from './guard.ts'
import { limits } from './limits.ts'
import type { GuardRules } from './rules.ts'
import type { Ruling } from './ruling.ts'
import { attackGroups, everyday } from './testing/attacks.ts'
import { mutated } from './testing/mutations.ts'

let guards: Guards

beforeAll(async () => {
  guards = await createGuards()
})

const judge = (text: string, rules: GuardRules = {}): Ruling => guards.guardFor(rules).judge(text)

/** The rule that refuses, or what else is said. */
const said = (text: string, rules: GuardRules = {}): string => {
  const ruling = judge(text, rules)
  return ruling.ruling === 'refuse' ? ruling.rule : ruling.ruling
}

describe.each(Object.entries(attackGroups))('with %s', (_name, { rules, attacks }) => {
  test.each(attacks)('the rule %s refuses %s', (rule, text) => {
    const ruling = judge(text, rules)
    expect(ruling).toMatchObject({ ruling: 'refuse', rule })
    expect(ruling.ruling === 'refuse' && ruling.remedy, 'says what to do').toBeTruthy()
  })

  test('comments, blanks, case and quotes change nothing', () => {
    // The parser does not take a comment before UESCAPE, which PostgreSQL does.
    const readable = attacks.filter(([rule, text]) => rule !== 'unreadable' && !text.includes('UESCAPE'))
    fc.assert(
      fc.property(fc.constantFrom(...readable), fc.infiniteStream(fc.nat(999)), ([rule, text], choices) => {
        const other = mutated(text, choices)
        expect(said(other, rules), other).toBe(rule)
      }),
      { numRuns: 500 },
    )
  })

  test('a refused statement refuses whatever is sent with it', () => {
    const readable = attacks.filter(([rule]) => rule !== 'unreadable')
    fc.assert(
      fc.property(fc.constantFrom(...readable), fc.constantFrom('SELECT 1', '', 'SHOW all'), ([rule, text], other) => {
        expect(said(`${other}; ${text}`, rules)).toBe(rule)
        expect(said(`${text}\n; ${other}`, rules)).toBe(rule)
      }),
      { numRuns: 100 },
    )
  })
})

describe('what is let through', () => {
  test.each(everyday)('read-only access may send %s', (text) => {
    expect(judge(text, { readOnly: true, requireWhere: true })).toMatchObject({ ruling: 'allow' })
  })

  test.each(everyday)('rules about other tables let through %s', (text) => {
    const tables = { deny: [{ schema: 'secret', table: '*' }] }
    const columns = [{ table: { schema: 'public', table: 'leads' }, deny: ['email', 'id'] }]
    expect(judge(text, { tables, columns, searchPath: ['public'], denyFunctions: ['total'] })).toMatchObject({
      ruling: 'allow',
    })
  })

  const writing: readonly (readonly [string, GuardRules])[] = [
    [`DELETE FROM orders WHERE id = 1`, { requireWhere: true }],
    [`DELETE FROM orders WHERE CURRENT OF c`, { requireWhere: true }],
    [
      `UPDATE orders SET note = '' WHERE EXISTS (SELECT 1 FROM customers c WHERE c.id = customer_id)`,
      { requireWhere: true },
    ],
    [`MERGE INTO orders o USING customers c ON o.customer_id = c.id WHEN MATCHED THEN DELETE`, { requireWhere: true }],
    [`INSERT INTO orders VALUES (1) ON CONFLICT (id) DO UPDATE SET note = ''`, { requireWhere: true }],
    [`DROP TABLE t`, { denyStatements: ['DROP INDEX'] }],
    [`INSERT INTO orders VALUES (1)`, { denyStatements: ['SELECT'] }],
    [`CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`, { allowStatements: ['CREATE FUNCTION'] }],
    [`SET app.user_id = '7'`, { allowSettings: ['app.user_id'] }],
    [`SELECT dblink('a', 'b')`, { allowFunctions: ['dblink'] }],
    [`DISCARD ALL`, { allowSettings: ['all'] }],
    [`SELECT * FROM other.customers`, { tables: { deny: [{ schema: 'public', table: 'customers' }] } }],
    [`SELECT * FROM orders`, { tables: { deny: [{ schema: 'secret', table: '*' }] }, searchPath: ['public'] }],
    [`WITH s AS (SELECT 1) SELECT * FROM s`, { tables: { allow: [{ table: 'orders' }] } }],
    [
      `WITH RECURSIVE s AS (SELECT 1 UNION SELECT * FROM s) SELECT * FROM s`,
      { tables: { allow: [{ table: 'orders' }] } },
    ],
    [`SELECT * FROM orders FOR UPDATE OF orders`, { tables: { allow: [{ table: 'orders' }] } }],
    [`SELECT * FROM pg_temp.mine`, { tables: { allow: [{ table: 'orders' }] } }],
    [`DROP TABLE orders`, { tables: { deny: [{ table: 'customers' }] }, allowStatements: ['DROP TABLE'] }],
    [`SELECT c.id, o.email, o.*, count(*) FROM customers c, orders o GROUP BY 1, 2`, columnsOfCustomers()],
    [`UPDATE customers SET name = 'x' WHERE id = 1 RETURNING id`, columnsOfCustomers()],
    [`INSERT INTO orders SELECT id FROM customers`, columnsOfCustomers()],
    [`COPY customers (id, name) TO STDOUT`, columnsOfCustomers()],
    [`SELECT email FROM leads`, columnsOfCustomers()],
  ]

  test.each(writing)('%s, by the rules %j', (text, rules) => {
    expect(judge(text, rules)).toMatchObject({ ruling: 'allow' })
  })

  test('a name without a schema is allowed only where the search path says what it means', () => {
    const tables = { allow: [{ schema: 'public', table: 'orders' }] }
    expect(said('SELECT * FROM orders', { tables })).toBe('tables')
    expect(said('SELECT * FROM public.orders', { tables })).toBe('allow')
    expect(said('SELECT * FROM orders', { tables, searchPath: ['public'] })).toBe('allow')
    expect(said('SELECT * FROM orders', { tables, searchPath: ['mine', 'public'] })).toBe('tables')
  })

  test('a denied schema takes every name that could be in it', () => {
    const tables = { deny: [{ schema: 'secret', table: '*' }] }
    expect(said('SELECT * FROM orders', { tables })).toBe('tables')
    expect(said('SELECT * FROM orders', { tables, searchPath: ['public', 'secret'] })).toBe('tables')
  })

  test('a denied name beyond ASCII is denied in either case, as a server of one byte to a character folds it', () => {
    expect(said('SELECT * FROM ÉTÉ', { tables: { deny: [{ table: 'été' }] } })).toBe('tables')
    expect(said('SELECT * FROM "Orders"', { tables: { deny: [{ table: 'orders' }] } })).toBe('allow')
  })

  test('a name that is cut off by PostgreSQL is compared as it is cut', () => {
    const name = 'c'.repeat(63)
    expect(said(`SELECT * FROM ${name}xyz`, { tables: { deny: [{ table: name }] } })).toBe('tables')
  })
})

function columnsOfCustomers(): GuardRules {
  return { columns: [{ table: { schema: 'public', table: 'customers' }, deny: ['email'] }] }
}

describe('approval', () => {
  const rules: GuardRules = {
    ask: [{ statements: ['DELETE'] }, { tables: [{ table: 'payroll' }], statements: ['SELECT'] }],
  }

  test('is asked for by kind and by table, and says what for', () => {
    expect(judge('DELETE FROM orders WHERE id = 1', rules)).toEqual({
      ruling: 'ask',
      rule: 'ask',
      message: 'DELETE on orders needs the approval of a person',
      uses: [
        { kind: 'DELETE', tables: ['orders'] },
        { kind: 'SELECT', tables: ['orders'] },
      ],
      approvers: [['owner']],
      withinMs: 600_000,
    })
    expect(said('SELECT * FROM payroll', rules)).toBe('ask')
    expect(said('WITH d AS (DELETE FROM orders RETURNING 1) SELECT 1', rules)).toBe('ask')
    expect(said('SELECT 1; DELETE FROM orders', rules)).toBe('ask')
    expect(said('SELECT * FROM orders', rules)).toBe('allow')
    expect(said('INSERT INTO payroll VALUES (1)', rules)).toBe('allow')
  })

  test('is of everyone whom the rules ask, and in the shortest of their times, however a text is put together', () => {
    const asks: GuardRules = {
      ask: [
        { statements: ['DELETE'], approvers: ['leads', 'dba'], within: 60_000 as Millis },
        { statements: ['TRUNCATE'], approvers: ['dba'] },
        { tables: [{ table: 'payroll' }], approvers: ['dba', 'leads'] },
      ],
    }
    const asked = (text: string) => {
      const ruling = judge(text, asks)
      return ruling.ruling === 'ask' ? [ruling.approvers, ruling.withinMs] : ruling.ruling
    }
    expect(asked('TRUNCATE orders')).toEqual([[['dba']], 600_000])
    expect(asked('DELETE FROM payroll')).toEqual([[['leads', 'dba']], 60_000])
    expect(asked('DELETE FROM orders; TRUNCATE orders')).toEqual([[['leads', 'dba'], ['dba']], 60_000])
  })

  test('is for one run, so that what needs it is not prepared by name', () => {
    expect(said('PREPARE p AS DELETE FROM orders', rules)).toBe('ask')
    expect(judge('PREPARE p AS DELETE FROM orders', rules).ruling).toBe('refuse')
  })

  test('does not save what another rule refuses', () => {
    expect(said('DELETE FROM orders', { ...rules, requireWhere: true })).toBe('require-where')
  })
})

describe('what is used', () => {
  const uses = (text: string): unknown => {
    const ruling = judge(text)
    return ruling.ruling === 'allow'
      ? Object.fromEntries(ruling.uses.map(({ kind, tables }) => [kind, tables]))
      : ruling
  }

  test.each([
    ['SELECT 1', { SELECT: [] }],
    ['SELECT * FROM a JOIN s.b USING (x), (SELECT * FROM c) c', { SELECT: ['a', 'c', 's.b'] }],
    ['INSERT INTO a VALUES (1)', { INSERT: ['a'] }],
    ['INSERT INTO a SELECT * FROM b RETURNING id', { INSERT: ['a'], SELECT: ['a', 'b'] }],
    ['UPDATE a SET x = 1', { UPDATE: ['a'] }],
    ['UPDATE a SET x = 1 WHERE y = 2', { UPDATE: ['a'], SELECT: ['a'] }],
    [
      'WITH d AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM d JOIN c ON true',
      { INSERT: ['b'], DELETE: ['a'], SELECT: ['a', 'c'] },
    ],
    [
      'MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1)',
      { MERGE: ['a'], INSERT: ['a'], DELETE: ['a'], SELECT: ['a', 'b'] },
    ],
    ['COPY a FROM STDIN', { 'COPY FROM': ['a'], INSERT: ['a'] }],
    ['COPY (SELECT * FROM a) TO STDOUT', { 'COPY TO': [], SELECT: ['a'] }],
    ['EXPLAIN SELECT * FROM a', { EXPLAIN: [], SELECT: ['a'] }],
    ['BEGIN; SELECT * FROM a; SELECT * FROM b; COMMIT', { BEGIN: [], SELECT: ['a', 'b'], COMMIT: [] }],
    ['SELECT * INTO a FROM b', { 'SELECT INTO': ['a'], SELECT: ['b'] }],
  ])('by %s', (text, expected) => {
    expect(uses(text)).toEqual(expected)
  })
})

describe('any text', () => {
  test('is judged, and never thrown at', () => {
    const words = fc.constantFrom(
      'select',
      'delete',
      'from',
      'with',
      'as',
      '(',
      ')',
      ',',
      ';',
      "'",
      '"',
      '$$',
      '--',
      '/*',
      '*/',
      'U&"',
      "E'",
      '\\',
      '$1',
      'customers',
      ' ',
      '\n',
      '\0',
      '\ud800',
      '::',
      '[',
      ']',
      '=>',
      '*',
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(words, { maxLength: 40 }).map((all) => all.join(' ')),
      fc.array(words, { maxLength: 40 }).map((all) => all.join('')),
    )
    fc.assert(
      fc.property(text, (candidate) => {
        expect(['allow', 'refuse']).toContain(
          judge(candidate, { readOnly: true, tables: { deny: [{ table: 'x' }] } }).ruling,
        )
      }),
      { numRuns: 1000 },
    )
  })

  test('that is longer than can be judged is refused', () => {
    const blanks = ' '.repeat(limits.textLength)
    expect(said(`SELECT 1${blanks}`)).toBe('unreadable')
    expect(said(`SELECT 1${blanks.slice(8)}`)).toBe('allow')
  })

  test('says nothing of its literals when it is refused', () => {
    for (const text of [
      "SELECT 'geheim' FORM x",
      "SELECT set_config('role', 'geheim', false)",
      "COPY t TO '/geheim'",
      "COPY t TO PROGRAM 'geheim'",
      "DO 'geheim'",
      "DELETE FROM x WHERE 'geheim' = 'geheim'",
    ])
      expect(JSON.stringify(judge(text, { readOnly: true }))).not.toContain('geheim')
  })

  test('has no control characters in what is said of it', () => {
    const ruling = judge('SELECT * FROM "a\nb\u001b[31m\u202e"', { tables: { allow: [{ table: 'x' }] } })
    expect(ruling).toMatchObject({ message: 'the table a?b?[31m? may not be used' })
  })

  const nested: Readonly<Record<string, (depth: number) => string>> = {
    parentheses: (depth) => `SELECT ${'('.repeat(depth)}1${')'.repeat(depth)}`,
    subqueries: (depth) => `SELECT ${'(SELECT '.repeat(depth)}1${')'.repeat(depth)}`,
    calls: (depth) => `SELECT ${'f('.repeat(depth)}1${')'.repeat(depth)}`,
    sums: (depth) => `SELECT 1${'+1'.repeat(depth)}`,
    negations: (depth) => `SELECT ${'NOT '.repeat(depth)}true`,
    casts: (depth) => `SELECT 1${'::int'.repeat(depth)}`,
    cases: (depth) => `SELECT ${'CASE WHEN '.repeat(depth)}1${' THEN 1 END'.repeat(depth)}`,
    unions: (depth) => `SELECT 1${' UNION SELECT 1'.repeat(depth)}`,
    joins: (depth) => `SELECT FROM a${' CROSS JOIN a'.repeat(depth)}`,
    arrays: (depth) => `SELECT ARRAY${'['.repeat(depth)}1${']'.repeat(depth)}`,
    withs: (depth) => `${'WITH a AS ('.repeat(depth)}SELECT 1${') SELECT 1'.repeat(depth)}`,
    queries: (depth) =>
      `WITH ${Array.from({ length: depth }, (_, index) => `c${index} AS (TABLE x)`).join(',')} SELECT 1`,
    comments: (depth) => `${'/*'.repeat(depth)}${'*/'.repeat(depth)} SELECT 1`,
    statements: (depth) => 'SELECT 1;'.repeat(depth),
  }

  test.each(Object.entries(nested))(
    'of nested %s is judged at every depth, and the next one too',
    async (_name, nest) => {
      for (const depth of [10, 100, 1000, 2000, 5000, 9000]) {
        expect(['allow', 'unreadable']).toContain(said(nest(depth)))
        expect(said(`${nest(depth)}; DELETE FROM customers`, { readOnly: true })).not.toBe('allow')
        // What has made a parser break holds up no one whose text comes with a later event.
        await new Promise((resolve) => void setImmediate(resolve))
        expect(said(`SELECT ${depth}`)).toBe('allow')
        expect(said(`DELETE FROM customers -- ${depth}`, { readOnly: true })).toBe('read-only')
      }
    },
  )
})

/** Of what can still be reached, in the heap and outside of it. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

describe('memory', () => {
  test('of 100,000 different texts is that of the last few', () => {
    const guard = guards.guardFor({ readOnly: true })
    const judgeMany = (from: number, to: number): void => {
      for (let index = from; index < to; index += 1) guard.judge(`SELECT a FROM t${index}`)
    }
    judgeMany(0, 20_000)
    const before = usedBytes()
    judgeMany(20_000, 100_000)
    const after = usedBytes()
    expect(guards.remembered().texts).toBeLessThanOrEqual(2 * limits.cachedTexts)
    expect(guards.remembered().length).toBeLessThanOrEqual(2 * limits.cachedLength)
    expect(after - before).toBeLessThan(10 * 1024 * 1024)
  }, 180_000)

  test('is shared by guards of the same rules, and texts are read once for all rules', () => {
    expect(guards.guardFor({ readOnly: true })).toBe(guards.guardFor({ readOnly: true }))
    const text = 'DELETE FROM shared'
    expect(said(text, { readOnly: true })).toBe('read-only')
    const { texts } = guards.remembered()
    expect(said(text, {})).toBe('allow')
    expect(said(text, { readOnly: true })).toBe('read-only')
    expect(guards.remembered().texts).toBe(texts)
  })

  test('of different rules without end is bounded, and their guards go on', () => {
    const kept = guards.guardFor({ maxRows: 1, readOnly: true })
    for (let rows = 2; rows < 2 * limits.sharedGuards; rows += 1) guards.guardFor({ maxRows: rows })
    expect(kept.judge('DELETE FROM x').ruling).toBe('refuse')
  })
})
