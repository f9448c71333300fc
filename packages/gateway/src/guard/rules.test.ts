import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readRules, readRulesText, ruleFields, type GuardRules } from './rules.ts'

const problemsOf = (value: unknown): readonly string[] => {
  const read = readRules(value)
  return 'problems' in read ? read.problems : []
}

describe('rules', () => {
  test('are read with everything there is', () => {
    expect(
      readRules({
        readOnly: false,
        denyStatements: ['drop', ' create   table '],
        requireWhere: true,
        tables: { allow: ['public.*'], deny: ['secret', 'public."odd.name"', '"q""q".t'] },
        columns: { 'public.customers': ['email'] },
        denyFunctions: ['pg_sleep*'],
        searchPath: ['public'],
        ask: [
          { statements: ['DELETE'], tables: ['orders'] },
          { statements: ['TRUNCATE'], approvers: ['dba', 'owner'], within: '5m' },
        ],
        maxRows: 1000,
        maxBytes: 1_000_000,
        allowStatements: ['CREATE EXTENSION'],
        allowFunctions: ['dblink'],
        allowSettings: ['app.user'],
      }),
    ).toEqual({
      rules: {
        readOnly: false,
        denyStatements: ['DROP', 'CREATE TABLE'],
        requireWhere: true,
        tables: {
          allow: [{ schema: 'public', table: '*' }],
          deny: [{ table: 'secret' }, { schema: 'public', table: 'odd.name' }, { schema: 'q"q', table: 't' }],
        },
        columns: [{ table: { schema: 'public', table: 'customers' }, deny: ['email'] }],
        denyFunctions: ['pg_sleep*'],
        searchPath: ['public'],
        ask: [
          { statements: ['DELETE'], tables: [{ table: 'orders' }] },
          { statements: ['TRUNCATE'], approvers: ['dba', 'owner'], within: 300_000 },
        ],
        maxRows: 1000,
        maxBytes: 1_000_000,
        allowStatements: ['CREATE EXTENSION'],
        allowFunctions: ['dblink'],
        allowSettings: ['app.user'],
      },
    })
  })

  test.each<readonly [unknown, string]>([
    ['x', 'the rules: '],
    [[], 'the rules: '],
    [null, 'the rules: '],
    [{ readonly: true }, 'readonly: is no field'],
    [{ readOnly: 'yes' }, 'readOnly: '],
    [{ denyStatements: [] }, 'denyStatements: '],
    [{ denyStatements: 'DROP' }, 'denyStatements: '],
    [{ denyStatements: ['DROP', 'DELEET'] }, 'denyStatements[1]: '],
    [{ tables: { allow: ['a.b.c'] } }, 'tables.allow[0]: '],
    [{ tables: { deny: ['*'] } }, 'tables.deny[0]: '],
    [{ tables: { deny: ['*.t'] } }, 'tables.deny[0]: '],
    [{ tables: { deny: ['a..b'] } }, 'tables.deny[0]: '],
    [{ tables: { deny: ['"a'] } }, 'tables.deny[0]: '],
    [{ tables: { deny: ['x'.repeat(64)] } }, 'tables.deny[0]: '],
    [{ tables: { denied: ['a'] } }, 'tables.denied: is no field'],
    [{ tables: ['a'] }, 'tables: '],
    [{ columns: { 'a.b.c': ['x'] } }, 'columns.a.b.c: '],
    [{ columns: { t: 'email' } }, 'columns.t: '],
    [{ columns: { t: [''] } }, 'columns.t[0]: '],
    [{ denyFunctions: ['a.b'] }, 'denyFunctions[0]: '],
    [{ denyFunctions: ['f()'] }, 'denyFunctions[0]: '],
    [{ denyFunctions: ['*a*'] }, 'denyFunctions[0]: '],
    [{ ask: [{}] }, 'ask[0]: '],
    [{ ask: [{ approvers: ['dba'], within: '5m' }] }, 'ask[0]: '],
    [{ ask: [{ statements: ['DELETE'], approvers: [] }] }, 'ask[0].approvers: '],
    [{ ask: [{ statements: ['DELETE'], approvers: ['user:bob'] }] }, 'ask[0].approvers[0]: '],
    [{ ask: [{ statements: ['DELETE'], approvers: Array(21).fill('dba') }] }, 'ask[0].approvers: '],
    [{ ask: [{ statements: ['DELETE'], within: '61m' }] }, 'ask[0].within: '],
    [{ ask: [{ statements: ['DELETE'], within: 600 }] }, 'ask[0].within: '],
    [{ ask: [{ statements: ['NOPE'] }] }, 'ask[0].statements[0]: '],
    [{ maxRows: 0 }, 'maxRows: '],
    [{ maxRows: 1.5 }, 'maxRows: '],
    [{ maxBytes: '1' }, 'maxBytes: '],
  ])('that say %j are refused, by field', (value, problem) => {
    const problems = problemsOf(value)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(problem)
    expect(problems[0]!.startsWith(problem)).toBe(true)
  })

  test('name all their problems at once', () => {
    expect(problemsOf({ readOnly: 1, maxRows: -1, ask: [{ statements: ['X'] }] })).toHaveLength(3)
  })

  test('are read in the short form of an annotation, and in JSON', () => {
    const rules: GuardRules = { readOnly: true, denyStatements: ['DROP', 'TRUNCATE'], maxRows: 1000 }
    expect(readRulesText(' read-only, deny=DROP|TRUNCATE, max-rows=1000 ')).toEqual({ rules })
    expect(readRulesText(JSON.stringify(rules))).toEqual({ rules })
    expect(readRulesText('require-where, deny-tables=secret.*|public.payroll, ask=DELETE')).toEqual({
      rules: {
        requireWhere: true,
        tables: {
          deny: [
            { schema: 'secret', table: '*' },
            { schema: 'public', table: 'payroll' },
          ],
        },
        ask: [{ statements: ['DELETE'] }],
      },
    })
  })

  test.each([
    '',
    'read-onyl',
    'read-only=yes',
    'read-only, read-only',
    'max-rows=many',
    'deny=',
    'deny=DELEET',
    '{',
    '{]',
  ])('in the short form %j are refused', (text) => {
    expect(readRulesText(text)).toHaveProperty('problems')
  })

  test('never throw, whatever is given as them', () => {
    const value = fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...Object.keys(ruleFields)), fc.anything()))
    fc.assert(fc.property(value, (given) => void readRules(given)))
    fc.assert(fc.property(fc.string(), (text) => void readRulesText(text)))
  })
})
