import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { analyse } from './analyse.ts'
import type { StatementFacts } from './facts.ts'
import { createGuards } from './guard.ts'
import { type Parser, sharedParser } from './parser.ts'
import type { GuardRules } from './rules.ts'
import type { Ruling } from './ruling.ts'
import { isOfSkeleton, skeletonOf } from './skeleton.ts'
import { attackGroups, everyday } from './testing/attacks.ts'

let parser: Parser

beforeAll(async () => {
  parser = await sharedParser()
})

/** `undefined` where the grammar does not take it. */
function factsOf(text: string): readonly StatementFacts[] | undefined {
  const parsed = parser.parse(text)
  return 'fault' in parsed ? undefined : parsed.statements.map(analyse)
}

const listed = (texts: string): readonly string[] => texts.split('¦')

const smallNumbers = fc.oneof(fc.nat({ max: 999_999_999 }).map(String), fc.constantFrom('0', '007', '000000000'))
const largeNumbers = fc.oneof(
  fc.bigInt({ min: 10_000_000_000n, max: 10n ** 40n }).map(String),
  fc.constantFrom('99999999999', '9223372036854775807', '9223372036854775808'),
)
const strings = fc.oneof(
  fc.stringMatching(/^[ -&(-[\]-~]{0,12}$/).map((inside) => `'${inside}'`),
  fc.constantFrom(`''`, `'--'`, `'/*'`, `'*/'`, `'$$'`, `'"'`, `';'`, `'1'`, `'\n'`, `' OR 1=1 --'`),
)

/** Other literals in the places of a skeleton. */
function filled(skeleton: string, literals: Iterator<readonly [string, string, string]>): string {
  return skeleton.replaceAll(/[§¹²]/g, (mark) => {
    const [string, small, large] = literals.next().value as [string, string, string]
    return { '§': string, '¹': small, '²': large }[mark]!
  })
}

const literals = fc.infiniteStream(fc.tuple(strings, smallNumbers, largeNumbers))

/** What a lexer could take for more, less or other than a literal. */
const traps = fc.constantFrom(
  ...listed('1e5¦1e-5¦1e¦1E+2¦0x1F¦0o17¦0b1¦1_000¦1_¦_1¦1.5¦.5¦1.¦1..2¦1 .5¦t.1¦$1¦a1¦1and¦1a¦--1¦- -1¦-1¦/*¦*/'),
  ...listed('/* 1 */¦-- 1\n¦- - 1¦/ *¦<-1¦=-1¦@-1¦2147483647¦2147483648¦4294967296¦00000000000000000001¦\0¦§'),
  ...listed(`E'a'¦E'\\'¦e'1'¦U&'1'¦N'1'¦B'1'¦X'1F'¦'a''b'¦'a' 'b'¦'a'\n'b'¦'a'--\n'b'¦'1¦'¦''''¦"1"¦"¦" ' "¦$$1$$`),
  ...listed(`$a$'$a$¦'a\\'¦\\¦'\f'¦'é'¦é¦¹¦5'a'¦'a'5¦'a'b¦1'¦::float(54)¦::float(1)`),
)
const words = fc.constantFrom(
  ...listed(
    'SELECT¦FROM¦WHERE¦AND¦OR¦IN¦LIMIT¦OFFSET¦VALUES¦INSERT INTO¦UPDATE¦SET¦AS¦DELETE FROM¦BETWEEN¦LIKE¦ESCAPE',
  ),
  ...listed('ORDER BY¦GROUP BY¦CASE WHEN¦THEN¦ELSE¦END¦NULL¦t¦orders¦t.id¦id¦float¦float(¦interval¦date¦set_config('),
  ...listed('lo_import(¦f(¦bit¦UESCAPE¦(¦)¦,¦;¦=¦<¦>¦<>¦!=¦+¦-¦*¦/¦%¦.¦::¦[¦]¦ ¦\n¦\t¦\f'),
)
const soup = fc
  .tuple(fc.array(fc.oneof(words, words, smallNumbers, largeNumbers, strings, traps), { maxLength: 14 }), fc.boolean())
  .map(([parts, spaced]) => `SELECT ${parts.join(spaced ? ' ' : '')}`)

const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const values = fc.oneof(smallNumbers, largeNumbers, strings, traps, fc.constantFrom('id', 't.name', 'NULL', 'true'))
  const signs = fc.constantFrom(
    ' = ',
    '=',
    ' + ',
    '-',
    ' - -',
    '*',
    ' / ',
    ' % ',
    '<',
    ' != ',
    ' AND ',
    ' LIKE ',
    ' IN ',
  )
  const inner = tie('expression')
  return {
    expression: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      values,
      fc.tuple(inner, signs, inner).map((parts) => parts.join('')),
      inner.map((one) => `(${one})`),
      fc.tuple(inner, inner).map((both) => `(${both.join(', ')})`),
      fc
        .tuple(fc.constantFrom('f', 'lo_import', 'set_config', 'pg_catalog.set_config', 'float'), inner, inner)
        .map(([name, ...arguments_]) => `${name}(${arguments_.join(',')})`),
      fc
        .tuple(fc.constantFrom('float', 'char', 'interval', 'date', 'bit'), inner)
        .map(([type, one]) => `${one}::${type}`),
      fc.tuple(inner, inner, inner).map(([a, b, c]) => `CASE WHEN ${a} THEN ${b} ELSE ${c} END`),
    ),
  }
})
const statements = fc
  .tuple(
    fc.constantFrom<(...parts: readonly [string, string, string]) => string>(
      (a, b, c) => `SELECT ${a} FROM t WHERE ${b} LIMIT ${c}`,
      (a, b, c) => `INSERT INTO t (id, name, at) VALUES (${a}, ${b}, ${c}) ON CONFLICT (id) DO NOTHING`,
      (a, b) => `UPDATE t SET name = ${a} WHERE id = ${b}`,
      (a) => `DELETE FROM t WHERE ${a}`,
      (a, b, c) => `WITH q AS (SELECT ${a}) SELECT * FROM q, f(${b}) g ORDER BY ${c}`,
      (a, b, c) => `SET work_mem = ${a}; SELECT ${b}; EXPLAIN (COSTS ${c}) SELECT 1`,
      (a, b, c) => `SELECT sum(id) OVER (ROWS ${a} PRECEDING) FROM t TABLESAMPLE system(${b}) OFFSET ${c} ROWS`,
      (a, b) => `SELECT ${a} AS a, ${b} FROM t`,
      (a, b, c) => `SELECT current_timestamp(${a}), float(${b}) '1', interval(${c}) '1'`,
    ),
    fc.tuple(expression, expression, expression),
  )
  .map(([write, parts]) => write(...parts))

describe('texts of one skeleton', () => {
  test.each([
    ['hardly ever SQL', soup, 20_000],
    ['mostly SQL', statements, 20_000],
  ])(
    'are the same but for their literals, and hold the same: %s',
    (_what, texts, numRuns) => {
      let shared = 0
      fc.assert(
        fc.property(texts, literals, (text, others) => {
          const skeleton = skeletonOf(text)
          if (skeleton === undefined) return
          const other = filled(skeleton, others)
          expect(skeletonOf(other), 'a literal in the place of another has the same skeleton').toBe(skeleton)
          const facts = factsOf(text)
          if (facts === undefined || !isOfSkeleton(facts)) return
          shared++
          expect(factsOf(other), `${text}\n${other}`).toEqual(facts)
        }),
        { numRuns },
      )
      expect(shared, 'the property is about something').toBeGreaterThan(50)
    },
    120_000,
  )
})

describe('a skeleton', () => {
  test.each([
    [`SELECT abalance FROM pgbench_accounts WHERE aid = 123;`, `SELECT abalance FROM pgbench_accounts WHERE aid = 99;`],
    [`UPDATE t SET a = a + -5 WHERE id = 7`, `UPDATE t SET a = a + -4999 WHERE id = 0`],
    [`select 'a', 1 from t1`, `select 'it is 9', 22 from t1`],
    [`select 12345678901`, `select 98765432109876`],
  ])('is that of %s and of %s', (one, other) => {
    expect(skeletonOf(one)).toBe(skeletonOf(other))
    expect(skeletonOf(one)).toBeDefined()
  })

  test.each([
    ['an int and a number that is larger than one', `select 1`, `select 12345678901`],
    ['numbers at the edge of an int', `select 1, 2147483647`, `select 1, 2147483648`],
    ['a number and a string', `select 1`, `select '1'`],
    ['names that end in digits', `select 1 from t1`, `select 1 from t2`],
    ['spaces that join two strings to one', `select 'a' 'b'`, `select 'a'\n'b'`],
    ['lists of different lengths', `select 1 in (1)`, `select 1 in (1, 2)`],
  ])('tells %s apart', (_what, one, other) => {
    expect(skeletonOf(one)).not.toBe(skeletonOf(other))
  })

  test.each([
    ...listed('1e5¦1e-5¦0x1F¦0b11¦1_000¦1.5¦.5¦1.¦1..2¦t.1¦1and¦$1¦--1¦/* 1 */ 1¦1::int¦a[1]¦1 ? 2¦1\f+ 1¦1 ¹'),
    ...listed(`E'a'¦e'a'¦U&'a'¦N'a'¦B'1'¦x'1'¦'a''b'¦''''¦'a'b¦'a'1¦1'a'¦'a¦"1"¦'\\'¦$$1$$¦'é'¦é + 1¦'\f'¦§¦'²'`),
  ])('is not made of SELECT %s', (what) => {
    expect(skeletonOf(`SELECT ${what}`)).toBeUndefined()
  })

  test('is not made of a text without a literal, which is looked up by itself', () => {
    expect(skeletonOf('BEGIN')).toBeUndefined()
    expect(skeletonOf('SELECT * FROM t1')).toBeUndefined()
  })

  test.each([
    `SELECT set_config('work_mem', '1MB', false)`,
    `SELECT pg_catalog.SET_CONFIG('work_mem', '1MB', false)`,
    `SET work_mem = 5`,
    `SET TRANSACTION READ ONLY; SELECT 1`,
    `SELECT float(1) '5'`,
    `SELECT date '2020-01-01'`,
    `EXPLAIN SELECT 1`,
    `PREPARE p AS SELECT 1`,
    `COPY t TO '/tmp/x'`,
    `COPY t TO PROGRAM 'x'`,
    `SELECT * FROM t TABLESAMPLE system(1)`,
    `NOTIFY c, 'x'`,
    `LOAD 'x'`,
    `DO 'BEGIN END'`,
    `CREATE TABLE t (a int DEFAULT 1)`,
    `MERGE INTO a USING b ON a.x = 1 WHEN MATCHED THEN DELETE`,
  ])('says nothing of %s', (text) => {
    expect(skeletonOf(text), 'has one').toBeDefined()
    expect(isOfSkeleton(factsOf(text)!)).toBe(false)
  })
})

describe('a guard that knows a text of the same skeleton', () => {
  const groups: readonly (readonly [GuardRules, readonly string[]])[] = [
    ...Object.values(attackGroups).map(({ rules, attacks }) => [rules, attacks.map(([, text]) => text)] as const),
    [{ readOnly: true, requireWhere: true }, everyday],
  ]

  test('says what it would say without knowing one', async () => {
    const fresh = async (): Promise<(text: string, rules: GuardRules) => Ruling> => {
      const guards = await createGuards()
      return (text, rules) => guards.guardFor(rules).judge(text)
    }
    const others = fc.sample(literals, { numRuns: 1, seed: 7 })[0]!
    let met = 0
    for (const [rules, texts] of groups) {
      const [judge, judgeFirst] = [await fresh(), await fresh()]
      for (const text of texts) {
        const skeleton = skeletonOf(text)
        if (skeleton === undefined) continue
        met++
        for (let i = 0; i < 5; i++) judge(filled(skeleton, others), rules)
        expect(judge(text, rules), text).toEqual(judgeFirst(text, rules))
      }
    }
    expect(met).toBeGreaterThan(50)
  })

  test('still refuses what is longer than can be judged', async () => {
    const guard = (await createGuards()).guardFor({})
    expect(guard.judge(`SELECT 'a'`).ruling).toBe('allow')
    expect(guard.judge(`SELECT '${'a'.repeat(128 * 1024)}'`).ruling).toBe('refuse')
  })

  test('reads nothing anew for literals, and remembers no text for each', async () => {
    const { guardFor, remembered } = await createGuards()
    const guard = guardFor({ readOnly: true })
    const first = guard.judge('SELECT a FROM t WHERE id = 1')
    const { texts } = remembered()
    for (let id = 2; id < 100; id++) expect(guard.judge(`SELECT a FROM t WHERE id = ${id}`)).toBe(first)
    expect(remembered().texts).toBe(texts)
  })
})
