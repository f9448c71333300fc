import { expect, test } from 'vitest'
import { formatPath, readFiles } from './read.ts'

const readOne = (text: string) => readFiles([{ path: 'people.yaml', text }])
const problemsOf = (text: string) => readOne(text).problems

const text = `# Who there is
users:
  - id: alice
    manager: dora
  - { id: bob, tokens: [] }
groups: [{ id: engineers, members: [alice, bob] }]
`

test.each([
  [['users'], '3:3'],
  [['users', 0], '3:5'],
  [['users', 0, 'manager'], '4:14'],
  [['users', 1, 'id'], '5:11'],
  [['groups', 0, 'members', 1], '6:44'],
] as const)('what stands at %j is found where it stands, at %s', (path, position) => {
  expect(readOne(text).files[0]?.at(path)).toBe(`people.yaml:${position}`)
})

test.each([
  [['users', 0, 'email'], '3:5'],
  [['users', 7, 'id'], '3:3'],
  [['users', 0, 'id', 'deeper'], '3:9'],
  [['services'], '2:1'],
] as const)('what is missing at %j is found at what is nearest around it, at %s', (path, position) => {
  expect(readOne(text).files[0]?.at(path)).toBe(`people.yaml:${position}`)
})

test('a file that says nothing declares nothing', () => {
  for (const empty of ['', '# nothing\n', '---\n', '{}']) {
    const { files, problems } = readOne(empty)
    expect(problems).toEqual([])
    expect(files[0]?.declared).toEqual({
      webhooks: [],
      users: [],
      services: [],
      agents: [],
      groups: [],
      guards: [],
      masks: [],
      recordings: [],
      resources: [],
    })
    expect(files[0]?.at(['users', 0])).toMatch(/^people\.yaml:\d+:\d+$/)
  }
})

test.each([
  ['broken YAML', 'users: [\n', /^people\.yaml:\d+:\d+$/],
  ['the same name twice', 'users: []\nusers: []\n', 'people.yaml:2:1'],
  ['two documents', 'users: []\n---\nusers: []\n', 'people.yaml:2:1'],
  ['an alias to nothing', 'users: *nobody\n', /^people\.yaml:\d+:\d+$/],
  ['a list', '- users\n', 'people.yaml:1:1'],
  ['a word', 'users\n', 'people.yaml:1:1'],
  ['a name that there is not', 'userz: []\n', 'people.yaml:1:1'],
  ['a field that there is not', 'users:\n  - { id: alice, mail: a@b }\n', 'people.yaml:2:5'],
  ['a list where a mapping belongs', 'users:\n  - [alice]\n', 'people.yaml:2:5'],
])('%s is a problem, with its place', (_what, text, field) => {
  const problems = problemsOf(text)
  expect(problems).toHaveLength(1)
  expect(problems[0]?.field).toMatch(field)
  expect(problems[0]?.message).not.toBe('')
})

test('aliases that grow out of all measure are not expanded', () => {
  const levels = Array.from({ length: 12 }, (_, i) => {
    const inner = i === 0 ? 'x' : Array.from({ length: 10 }, () => `*a${i - 1}`).join(', ')
    return `a${i}: &a${i} [${inner}]`
  })
  const started = performance.now()
  expect(problemsOf(levels.join('\n')).length).toBeGreaterThan(0)
  expect(performance.now() - started).toBeLessThan(5_000)
})

test('each file is read for itself, and the problems of all are told', () => {
  const { files, problems } = readFiles([
    { path: 'a.yaml', text: 'users: [' },
    { path: 'b.yaml', text: 'users: [{ id: alice }]' },
    { path: 'c.yaml', text: 'groups: [{ id: Team }]' },
  ])
  expect(files.map(({ source }) => source.path)).toEqual(['b.yaml'])
  expect(new Set(problems.map(({ field }) => field.split(':')[0]))).toEqual(new Set(['a.yaml', 'c.yaml']))
})

test('a path is written the way people write one', () => {
  expect(formatPath(['resources', 0, 'roles', 1, 'name'])).toBe('resources[0].roles[1].name')
  expect(formatPath([])).toBe('')
})

test.each([
  ['objects', '{a: ', '}'],
  ['lists', '[', ']'],
  ['lists of lists', '- ', ''],
  ['keys', '? ', ''],
] as const)('%s nested without end are refused, and take nothing down', (_, opening, closing) => {
  for (const depth of [60, 1_000, 50_000]) {
    const [problem, ...others] = problemsOf(`${opening.repeat(depth)}x${closing.repeat(depth)}`)
    expect(others).toEqual([])
    expect(problem?.field).toMatch(/^people\.yaml:1:\d+$/)
    expect(problem?.message).toBe('It is nested more than 50 deep.')
  }
})
