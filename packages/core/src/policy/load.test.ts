import { describe, expect, test } from 'vitest'
import { hours } from '../time.ts'
import { defaultMaxDuration } from './annotations.ts'
import { designPolicies, policiesOf } from './fixtures.ts'
import { policyLimits } from './limits.ts'
import type { LoadOptions } from './load.ts'
import { loadPolicies } from './load.ts'
import type { PolicyProblem } from './problem.ts'

const body = 'permit (principal, action, resource);'

function problemsOf(text: string, options: Partial<LoadOptions> = {}): readonly PolicyProblem[] {
  const loaded = loadPolicies([{ path: 'a.cedar', text }], { version: 'v1', ...options })
  return loaded.ok ? [] : loaded.problems
}

const placesOf = (text: string, options?: Partial<LoadOptions>): string[] =>
  problemsOf(text, options).map(({ line, column, message }) => `${line}:${column} ${message}`)

describe('what loads', () => {
  test('the example of the design', () => {
    const loaded = loadPolicies([{ path: 'a.cedar', text: designPolicies }], {
      version: 'v7',
      knownGroups: new Set(['engineers', 'team-leads', 'payments-oncall']),
    })
    expect(loaded.ok && loaded.policies.version).toBe('v7')
    expect(loaded.ok && loaded.policies.policies).toMatchObject([
      { id: 'never-from-unmanaged-devices', effect: 'forbid', line: 10, advice: 'Use a managed device.' },
      { id: 'on-call-goes-straight-in', effect: 'permit', line: 6, stages: [], maxDuration: hours(1) },
      { id: 'prod-needs-a-lead', line: 1, stages: [{ approvers: ['team-leads'], count: 1 }], maxDuration: hours(2) },
    ])
  })

  test('no files at all, and files without policies', () => {
    expect(loadPolicies([], { version: 'v1' })).toMatchObject({ ok: true, policies: { policies: [] } })
    expect(policiesOf('// nothing yet\n').policies).toEqual([])
  })

  test('the same set whatever the order of the files', () => {
    const files = ['b', 'a'].map((id) => ({ path: `${id}.cedar`, text: `@id("${id}") ${body}` }))
    const options = { version: 'v1' }
    expect(loadPolicies(files, options)).toEqual(loadPolicies(files.toReversed(), options))
  })

  test.each([
    ['@approvers("b, a ,b")', [{ approvers: ['a', 'b'], count: 1 }]],
    ['@approvers("owner") @approvals("3")', [{ approvers: ['owner'], count: 3 }]],
    [
      '@stages("manager | owner:1, okta:leads : 2")',
      [
        { approvers: ['manager', 'owner'], count: 1 },
        { approvers: ['okta:leads'], count: 2 },
      ],
    ],
    ['', []],
  ])('%s', (annotations, stages) => {
    expect(policiesOf(`@id("a") ${annotations} ${body}`).policies[0]).toMatchObject({ stages })
  })

  test('a permit without @max_duration gives an hour', () => {
    expect(policiesOf(`@id("a") ${body}`).policies[0]).toMatchObject({ maxDuration: defaultMaxDuration })
  })

  test('labels in another alphabet', () => {
    const text = '@id("a") permit (principal, action, resource in Label::"команда=payments");'
    expect(problemsOf(text)).toEqual([])
  })
})

describe('annotations that do not load', () => {
  test.each([
    [body, '1:1 The policy has no @id.'],
    [`@id ${body}`, '1:1 @id has no value.'],
    [`@id("") ${body}`, '1:1 @id("") does not read.'],
    [`@id("Prod") ${body}`, '1:1 @id("Prod") does not read.'],
    [`@id("a-") ${body}`, '1:1 @id("a-") does not read.'],
    [`@id("1") ${body}`, '1:1 @id("1") does not read.'],
    [`@id("${'a'.repeat(101)}") ${body}`, `1:1 @id("${'a'.repeat(101)}") does not read.`],
    [`@id("a")\n @approver("x") ${body}`, '2:2 There is no annotation @approver.'],
    [`@id("a") @approvers("") ${body}`, '1:10 @approvers("") does not read.'],
    [`@id("a") @approvers("x,,y") ${body}`, '1:10 @approvers("x,,y") does not read.'],
    [`@id("a") @approvers("manager|owner") ${body}`, '1:10 @approvers("manager|owner") does not read.'],
    [`@id("a") @approvals("1") ${body}`, '1:10 @approvals says how many, but no @approvers says who.'],
    [`@id("a") @approvers("x") @approvals("0") ${body}`, '1:26 @approvals("0") does not read.'],
    [`@id("a") @approvers("x") @approvals("1.5") ${body}`, '1:26 @approvals("1.5") does not read.'],
    [`@id("a") @approvers("x") @approvals("-1") ${body}`, '1:26 @approvals("-1") does not read.'],
    [`@id("a") @approvers("x") @approvals("21") ${body}`, '1:26 @approvals("21") does not read.'],
    [`@id("a") @stages("x") ${body}`, '1:10 @stages("x") does not read.'],
    [`@id("a") @stages("x:0") ${body}`, '1:10 @stages("x:0") does not read.'],
    [`@id("a") @stages("x:1,") ${body}`, '1:10 @stages("x:1,") does not read.'],
    [`@id("a") @stages(":1") ${body}`, '1:10 @stages(":1") does not read.'],
    [`@id("a") @approvers("x") @stages("x:1") ${body}`, '1:26 @stages stands beside @approvers or @approvals.'],
    [`@id("a") @stages("x:1") @approvals("1") ${body}`, '1:10 @stages stands beside @approvers or @approvals.'],
    [`@id("a") @max_duration("2") ${body}`, '1:10 @max_duration("2") does not read.'],
    [`@id("a") @max_duration("0h") ${body}`, '1:10 @max_duration("0h") does not read.'],
    [`@id("a") @advice("no") ${body}`, '1:10 @advice means nothing on a permit.'],
    [`@id("a") @approvers("x") forbid (principal, action, resource);`, '1:10 @approvers means nothing on a forbid.'],
    [
      `@id("a") @max_duration("1h") forbid (principal, action, resource);`,
      '1:10 @max_duration means nothing on a forbid.',
    ],
    [`@id("a") @advice(" ") forbid (principal, action, resource);`, '1:10 @advice(" ") does not read.'],
    [`@id("a") @advice("a\nb") forbid (principal, action, resource);`, '1:10 @advice("a\\nb") does not read.'],
  ])('%s', (text, problem) => {
    expect(placesOf(text)).toEqual([problem])
  })

  test('a typing slip is answered with what was meant', () => {
    expect(problemsOf(`@id("a") @approver("x") ${body}`)).toMatchObject([
      { remedy: 'Did you mean @approvers?', id: 'a' },
    ])
    expect(problemsOf(`@id("a") @max-duration("1h") ${body}`)).toHaveLength(1)
    expect(problemsOf(`@id("a") @maxduration("1h") ${body}`)).toMatchObject([{ remedy: 'Did you mean @max_duration?' }])
    expect(problemsOf(`@id("a") @colour("red") ${body}`)).toMatchObject([
      { remedy: expect.stringContaining('Remove it') },
    ])
  })

  test('an id taken by another file', () => {
    const files = ['a.cedar', 'b.cedar'].map((path) => ({ path, text: `\n@id("a") ${body}` }))
    expect(loadPolicies(files, { version: 'v1' })).toMatchObject({
      problems: [{ path: 'b.cedar', line: 2, column: 1, message: 'The id a is taken by the policy at a.cedar:2.' }],
    })
  })
})

describe('policies that do not load', () => {
  test.each([
    ['permit (principal, action, resource)', '1:37 Unexpected end of input.'],
    [`// é🎉\n@id("é🎉") ${body} permit (;`, '2:57 Unexpected token `;`.'],
    [`@id("a") @id("b") ${body}`, '1:10 Duplicate annotation: @id.'],
    [
      '@id("a") permit (principal == ?principal, action, resource);',
      '1:10 The policy is a template (it has ?principal or ?resource).',
    ],
    [
      '@id("a") permit (principal, action, resource) when { "é🎉" == "é🎉" && context.ticket.open };',
      '1:70 Unable to guarantee safety of access to optional attribute `ticket` in context for Action::"access".',
    ],
    [
      '@id("a") permit (principal, action, resource) when { context.duraton < 60 };',
      '1:54 Attribute `duraton` in context for Action::"access" not found.',
    ],
    ['@id("a") permit (principal in Grop::"x", action, resource);', '1:31 Unrecognized entity type `Grop`.'],
    [
      '@id("a") permit (principal, action, resource is Resource);',
      '1:10 Unable to find an applicable action given the policy scope constraints.',
    ],
    [
      '@id("a")\npermit (principal, action, resource) when { false };',
      '2:1 Policy is impossible: the policy expression evaluates to false for all valid requests.',
    ],
    [
      '@id("a") permit (principal, action, resource in Label::"env=prоduction");',
      '1:61 "prоduction" mixes letters of different alphabets that look alike.',
    ],
    [`@id("a") /* */ ${body}`, '1:10 Unexpected token `/`.'],
    [`// \u202E\n@id("a") ${body}`, '1:4 The text has an invisible sign that changes its reading direction.'],
    [`@id("\ud800a") ${body}`, '1:6 The text has half a character in it, which is no Unicode.'],
  ])('%s', (text, problem) => {
    expect(placesOf(text)).toEqual([problem])
  })

  test('are all reported together, in the order of reading', () => {
    const text = `@id("a") @approver("x") ${body}\n${body}\n@id("c") permit (principal, action, resource) when { context.nope };`
    const files = [
      { path: 'b.cedar', text },
      { path: 'a.cedar', text: 'permit' },
    ]
    const loaded = loadPolicies(files, { version: 'v1' })
    const places = loaded.ok ? [] : loaded.problems.map(({ path, line, column }) => `${path}:${line}:${column}`)
    expect(places).toEqual(['a.cedar:1:7', 'b.cedar:1:10', 'b.cedar:2:1', 'b.cedar:3:54'])
  })

  test('name groups that do not exist', () => {
    const text =
      '@id("a") @approvers("leads, manager")\npermit (principal is User in Group::"staff", action, resource);'
    const places = (...groups: string[]): string[] => placesOf(text, { knownGroups: new Set(groups) })
    expect(places('leads', 'staff')).toEqual([])
    expect(places('leads')).toEqual(['2:37 There is no group staff.'])
    expect(places('staff')).toEqual(['1:10 There is no group leads.'])
    expect(
      placesOf('@id("a") @stages("x:1") permit (principal, action, resource);', { knownGroups: new Set() }),
    ).toEqual(['1:10 There is no group x.'])
  })
})

describe('files that would break the engine never reach it', () => {
  const condition = (text: string): string => `@id("a") permit (principal, action, resource) when { ${text} };`
  const n = 30_000

  test.each([
    ['brackets', '('.repeat(n) + 'true' + ')'.repeat(n)],
    ['open brackets over many policies', `${'('.repeat(10)};`.repeat(n / 10)],
    ['conjunctions', 'true && '.repeat(n) + 'true'],
    ['sums', '1+'.repeat(n) + '1 == 2'],
    ['branches', 'if true then true else '.repeat(n) + 'true'],
    ['attributes', 'context' + '.a'.repeat(n)],
    ['conditions', 'true } ' + 'when { true } '.repeat(n) + 'when { true'],
    ['sets', '['.repeat(n) + ']'.repeat(n)],
    ['broken quotes', '"" " && '.repeat(n)],
  ])('%s', (_name, text) => {
    expect(problemsOf(condition(text)).length).toBeGreaterThan(0)
    expect(problemsOf(condition('true'))).toEqual([])
  })

  test('what is just within the limits loads', () => {
    const { nesting, operators } = policyLimits
    const deep = '('.repeat(nesting - 1) + 'context.duration < 60' + ')'.repeat(nesting - 1)
    expect(problemsOf(condition(`${deep}${' && true'.repeat(operators - 4)}`))).toEqual([])
    const wide = Array.from({ length: 20_000 }, (_, i) => `"DE${i}"`).join(',')
    expect(problemsOf(condition(`[${wide}].contains(context.authentication.method)`))).toEqual([])
  })

  test('files and sets have a size', () => {
    expect(placesOf(' '.repeat(policyLimits.fileSizeBytes + 1))).toEqual(['1:1 The file is larger than 1048576 bytes.'])
  })
})
