import { connectorKinds } from '@tidegate/connectors'
import { expect, test } from 'vitest'
import { rulesOfGrant } from '../gateways/grant-rules.ts'
import { filesOf, shop, shopFiles } from '../testing/configuration.ts'
import { unkeptEffects } from './obliging.ts'
import { parseConfiguration } from './parse.ts'
import { planItems } from './plan.ts'
import { strictest } from './rule-sets.ts'
import { usualRecording } from './schema.ts'
import type { SessionRules } from './session-rules.ts'

const rules: SessionRules = {
  guard: (value) => (value === 'fine' ? [] : ['the rules: are not fine.']),
  approvers: () => [],
  mask: (value) => (value === 'fine' ? [] : ['the mask: is not fine.']),
}

const sets = `guards:
  - { id: no-deletes, rules: fine }
masks:
  - { id: pii, rules: fine }
recordings:
  - { id: commit-all, text: commit, parameters: commit, rows: commit }
`

const policies = (annotations: string, scope = 'resource in Label::"env=production"') =>
  `@id("engineers-read") ${annotations}
permit (principal in Group::"engineers", action == Action::"access", ${scope});`

type Edits = {
  readonly sets?: string
  readonly resource?: string
  readonly role?: string
  readonly policies?: string
}

function read(edits: Edits, sessionRules: SessionRules | undefined = rules) {
  const text = shop
    .replace('    owner: engineers\n', `    owner: engineers\n${edits.resource ?? '    gateway: required\n'}`)
    .replace('        risk: low\n', `        risk: low\n${edits.role ?? ''}`)
  const files = { ...shopFiles, 'shop.yaml': text, 'sets.yaml': edits.sets ?? sets }
  const cedar = { 'access.cedar': edits.policies ?? policies('') }
  return parseConfiguration(filesOf({ ...files, ...cedar }), { version: 1, kinds: connectorKinds, sessionRules })
}

const problemsOf = (edits: Edits, sessionRules?: SessionRules) => {
  const result = read(edits, sessionRules)
  return result.ok ? [] : result.problems
}

function snapshotOf(edits: Edits) {
  const result = read(edits)
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.snapshot
}

const grant = { resource: 'orders-db', role: 'readonly', obligations: [] } as const
const policy = { policies: ['engineers-read'] } as const

test('a role and a policy ask for sets by name, and all of it holds for a grant', () => {
  const snapshot = snapshotOf({
    role: '        guard: fine\n        guards: [no-deletes]\n',
    policies: policies('@mask("pii") @record("commit-all")'),
  })
  expect(rulesOfGrant(snapshot, grant)).toEqual({ guards: ['fine', 'fine'], masks: [], recording: usualRecording })
  const obligations = [
    { kind: 'mask', name: 'pii', ...policy },
    { kind: 'record', name: 'commit-all', ...policy },
  ] as const
  expect(rulesOfGrant(snapshot, { ...grant, obligations })).toEqual({
    guards: ['fine', 'fine'],
    masks: ['fine'],
    recording: { ...usualRecording, text: 'commit', parameters: 'commit', rows: 'commit' },
  })
})

test('a grant has no rules where its role or something that is asked for is not declared', () => {
  const snapshot = snapshotOf({})
  expect(rulesOfGrant(snapshot, { ...grant, role: 'writer' })).toBeUndefined()
  const obligations = [{ kind: 'mask', name: 'gone', ...policy }] as const
  expect(rulesOfGrant(snapshot, { ...grant, obligations })).toBeUndefined()
})

test('names that nothing is declared by are told with their place and what may have been meant', () => {
  expect(problemsOf({ role: '        guards: [no-delete]\n        recordings: [x]\n' })).toEqual([
    {
      field: expect.stringMatching(/^shop\.yaml:\d+:\d+$/),
      message: 'There is no no-delete under guards.',
      remedy: 'Did you mean no-deletes?',
    },
    { field: expect.any(String), message: 'There is no x under recordings.', remedy: 'Declare it under recordings.' },
  ])
  expect(problemsOf({ policies: policies('@mask("pi")') })).toEqual([
    {
      field: 'access.cedar:1:23',
      message: 'policy engineers-read: @mask names pi, which is not declared.',
      remedy: 'Did you mean pii?',
    },
  ])
})

test('sets are checked by whoever acts on them, and one id is declared once', () => {
  expect(problemsOf({ sets: 'guards: [{ id: a, rules: x }]\nmasks: [{ id: a, rules: y }]\n' })).toMatchObject([
    { field: expect.stringMatching(/^sets\.yaml:1:/), message: 'the rules: are not fine.' },
    { field: expect.stringMatching(/^sets\.yaml:2:/), message: 'the mask: is not fine.' },
  ])
  expect(problemsOf({ sets: 'masks: [{ id: a, rules: fine }, { id: a, rules: fine }]\n' })).toMatchObject([
    { message: 'a is declared twice.' },
  ])
  const unchecked = parseConfiguration(filesOf({ ...shopFiles, 'sets.yaml': sets }), {
    version: 1,
    kinds: connectorKinds,
  })
  expect(unchecked.ok ? [] : unchecked.problems).toHaveLength(2)
})

test.each([
  ['{ id: a }', 'It asks for nothing'],
  ['{ id: a, text: keep }', 'only what is stricter'],
  ['{ id: a, whenItFails: go-on }', 'only what is stricter'],
  ['{ id: a, rows: none }', 'rows'],
  ['{ id: a, text: commit, row: keep }', 'row'],
])('a recording that asks for nothing stricter is refused: %s', (set, message) => {
  expect(problemsOf({ sets: `recordings: [${set}]\n` })).toEqual([
    expect.objectContaining({ message: expect.stringContaining(message) }),
  ])
})

test.each([
  [[], usualRecording],
  [[{ rows: 'keep' }, { rows: 'commit' }], { ...usualRecording, rows: 'commit' }],
  [[{ rows: 'commit' }, { rows: 'keep' }], { ...usualRecording, rows: 'commit' }],
  [[{ text: 'commit' }, { parameters: 'commit' }], { ...usualRecording, text: 'commit', parameters: 'commit' }],
] as const)('of several recordings the strictest of each field holds (%#)', (asked, expected) => {
  expect(
    strictest(
      usualRecording,
      asked.map((set) => ({ id: 'a', ...set })),
    ),
  ).toEqual(expected)
})

test('what becomes of a session that cannot be recorded is for policy to say, where it is stricter', () => {
  const policy = { ...usualRecording, whenItFails: 'go-on' } as const
  expect(strictest(policy, [{ id: 'a', whenItFails: 'end' }]).whenItFails).toBe('end')
  expect(strictest(policy, [{ id: 'a', text: 'commit' }]).whenItFails).toBe('go-on')
})

test('where no gateway is required nothing may be asked of sessions by name', () => {
  const resource = ''
  expect(problemsOf({ resource, role: '        masks: [pii]\n' })).toMatchObject([
    { message: expect.stringContaining('Only a gateway does this') },
  ])
  for (const scope of ['resource == Role::"orders-db/readonly"', 'resource in Resource::"orders-db"']) {
    expect(problemsOf({ resource, policies: policies('@mask("pii")', scope) })).toEqual([
      {
        field: 'access.cedar:1:1',
        message:
          'policy engineers-read: It asks for mask pii on orders-db, and access to that does not lead through a gateway.',
        remedy: 'Write gateway: required for orders-db, or leave it out.',
      },
    ])
  }
})

test('a policy that reaches such a resource by a label is told of in the plan', () => {
  const snapshot = snapshotOf({ resource: '', policies: policies('@mask("pii")') })
  expect(unkeptEffects(snapshot)).toEqual([
    'denies orders-db/readonly to whomever policy engineers-read permits it: it asks for mask pii, and no gateway is required there',
  ])
  expect(unkeptEffects(snapshotOf({ policies: policies('@mask("pii")') }))).toEqual([])
})

test('a plan shows sets, and a change of one waits for a second person', () => {
  const [before, after] = [snapshotOf({}), snapshotOf({ sets: sets.replace('rows: commit', 'rows: keep') })]
  expect(planItems(before, after)).toEqual([
    { action: 'change', kind: 'recording', id: 'commit-all', details: ['rows: commit → keep'], sensitive: true },
  ])
})
