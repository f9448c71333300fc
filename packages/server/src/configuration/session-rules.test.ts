import { connectorKinds } from '@tidegate/connectors'
import { expect, test } from 'vitest'
import { filesOf, shop, shopFiles } from '../testing/configuration.ts'
import { parseConfiguration } from './parse.ts'
import type { SessionRules } from './session-rules.ts'

const rules: SessionRules = {
  guard: (value) => (value === 'fine' ? [] : ['deny: there is no such statement.', 'tables: write a list.']),
  approvers: () => ['owner'],
  mask: (value) => (value === 'fine' ? [] : ['columns: write a list.']),
}

type Edits = { readonly resource?: string; readonly role?: string }

function read({ resource = '', role = '' }: Edits, sessionRules?: SessionRules) {
  const text = shop
    .replace('    owner: engineers\n', `    owner: engineers\n${resource}`)
    .replace('        risk: low\n', `        risk: low\n${role}`)
  const files = filesOf({ ...shopFiles, 'shop.yaml': text })
  return parseConfiguration(files, { version: 1, kinds: connectorKinds, sessionRules })
}

const problemsOf = (result: ReturnType<typeof read>) => (result.ok ? [] : result.problems)
const entryOf = (result: ReturnType<typeof read>) =>
  result.ok ? result.snapshot.resources.get('orders-db') : undefined

const rulesIn = (result: ReturnType<typeof read>) => entryOf(result)?.roles.get('readonly')?.rules

const required = '    gateway: required\n'

test('a resource has no gateway unless it says so, and its recording keeps statements and ends a session it cannot keep', () => {
  const usual = { text: 'keep', parameters: 'keep', rows: 'none', whenItFails: 'end' }
  expect(entryOf(read({}))).toMatchObject({ resource: { gateway: 'none' } })
  expect(rulesIn(read({}))).toEqual({ guards: [], masks: [], recording: usual })
  expect(entryOf(read({ resource: '    gateway: none\n' }))).toMatchObject({ resource: { gateway: 'none' } })
  const recording = '    recording: { rows: commit, whenItFails: go-on }\n'
  const gated = read({ resource: required + recording })
  expect(entryOf(gated)).toMatchObject({ resource: { gateway: 'required' } })
  expect(rulesIn(gated)?.recording).toEqual({ ...usual, rows: 'commit', whenItFails: 'go-on' })
})

test('guard and mask are kept as they were written, when whoever acts on them has no objection', () => {
  const result = read({ resource: required, role: '        guard: fine\n        mask: fine\n' }, rules)
  expect(rulesIn(result)).toMatchObject({ guards: ['fine'], masks: ['fine'] })
  expect(rulesIn(read({ resource: required }, rules))).toMatchObject({ guards: [], masks: [] })
})

test('what is wrong with them is said at their place, all of it', () => {
  const result = read({ resource: required, role: '        guard: { deny: [x] }\n        mask: 7\n' }, rules)
  expect(problemsOf(result)).toMatchObject([
    { field: expect.stringMatching(/^shop\.yaml:\d+:\d+/), message: 'deny: there is no such statement.' },
    { message: 'tables: write a list.' },
    { message: 'columns: write a list.' },
  ])
})

test.each(['guard', 'mask'])('a %s that nobody here can check is refused', (word) => {
  expect(problemsOf(read({ resource: required, role: `        ${word}: fine\n` }))).toMatchObject([
    { message: 'This server was started without anyone who can check it.' },
  ])
})

test.each([
  ['guard', { role: '        guard: fine\n' }],
  ['mask', { role: '        mask: fine\n' }],
  ['recording', { resource: '    recording: { text: commit }\n' }],
])('a %s where no gateway would act on it is refused', (_word, edits) => {
  expect(problemsOf(read(edits, rules))).toMatchObject([
    {
      message: expect.stringContaining('Only a gateway does this'),
      remedy: expect.stringContaining('gateway: required'),
    },
  ])
})

test.each(['    gateway: maybe\n', '    gateway: required\n    recording: { text: none }\n'])(
  'a word that is not known is refused: %j',
  (resource) => {
    expect(problemsOf(read({ resource }, rules))).toHaveLength(1)
  },
)
