/** Configuration as a whole: what is wrong is said with its place, and what is right comes into force whole. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ApiError } from '@tidegate/api'
import { edited, withFile } from './support/edit.ts'
import { logIn, opened } from './support/access.ts'
import { entriesOf, entryTypesOf, inStore, stateOf } from './support/story.ts'
import type { Files, Parts } from './support/tidegate.ts'
import { createWorld, createWorldForTest, defaultFiles } from './support/tidegate.ts'

type Problems = NonNullable<ApiError['details']['problems']>

const problemsOf = async (work: Promise<unknown>): Promise<Problems> => {
  const error = await work.then(
    () => undefined,
    (thrown: ApiError) => thrown,
  )
  if (error?.code !== 'invalid-input') throw new Error(`It was ${error?.code ?? 'accepted'}.`)
  return error.details.problems ?? []
}

let world: Awaited<ReturnType<typeof createWorld>>
let before: string[]
beforeAll(async () => {
  world = await createWorld()
  before = await stateOf(world.store)
})
afterAll(() => world.stop())

/** Planned and applied alike, and nothing of it is kept. */
async function wrong(files: Files): Promise<Problems> {
  const planned = await problemsOf(world.admin.planConfig({ files }))
  expect(await problemsOf(world.admin.applyConfig({ files }))).toEqual(planned)
  expect(await stateOf(world.store)).toEqual(before)
  return planned
}

const policy = (text: string): Files => [...world.files, { path: 'more.cedar', text }]
const yaml = (text: string): Files => [...world.files, { path: 'more.yaml', text }]

describe('what is wrong', () => {
  test('a policy that does not parse is shown with its place, counted in characters', async () => {
    const text = `// Grüße 🌊\n@id("x") permit (principal in Group::"🌊ü", action == Action::"access", resource) when { 1 + };`
    const [problem] = await wrong(policy(text))
    const column = Array.from(text.split('\n')[1] ?? '').indexOf('}') + 1
    expect(problem?.field).toBe(`more.cedar:2:${column}`)
    expect(problem?.remedy).toBeTruthy()
  })

  test('YAML that does not parse is shown with its place, counted in the same way', async () => {
    const [problem] = await wrong(yaml('groups:\n  - { id: "🌊ü", members: [alice }'))
    expect(problem?.field).toMatch(/^more\.yaml:2:\d+$/)
    const [typed] = await wrong(yaml('users:\n  - { name: "🌊🌊", id: [] }'))
    expect(typed?.field).toBe('more.yaml:2:23')
    expect(typed?.message).toContain('users[0].id')
  })

  test.each([
    [
      'an annotation with a typo',
      '@id("x") @aprovers("team-leads")\npermit (principal, action, resource);',
      'more.cedar:1:10',
      /@approvers/,
    ],
    [
      'a duration that does not read',
      '@id("x") @max_duration("2 hours")\npermit (principal, action, resource);',
      'more.cedar:1:10',
      /@max_duration/,
    ],
    ['a policy without a name', 'permit (principal, action, resource);', 'more.cedar:1:1', /@id/],
    [
      'approvers nobody declares',
      '@id("x") @approvers("leads")\npermit (principal, action, resource);',
      'more.cedar:1:10',
      /leads|group/i,
    ],
    [
      'a group nobody declares',
      '@id("x")\npermit (principal in Group::"enginers", action, resource);',
      'more.cedar:',
      /enginers|engineers/,
    ],
    [
      'an attribute there is not',
      '@id("x")\npermit (principal, action, resource) when { resource.risc == "low" };',
      'more.cedar:2:',
      /risk|risc/,
    ],
    [
      'a name that is taken',
      '@id("engineers-read")\npermit (principal, action, resource);',
      'more.cedar:1:',
      /engineers-read/,
    ],
    [
      'approvers on a forbid',
      '@id("x") @approvers("team-leads")\nforbid (principal, action, resource);',
      'more.cedar:1:10',
      /permit/,
    ],
    [
      'a text that turns its reading around',
      '@id("x")\npermit (principal, action, resource) // \u202e\n;',
      'more.cedar:2:',
      /invisible|reading/,
    ],
    ['a zero in the text', '@id("x")\npermit (principal, action, \u0000resource);', 'more.cedar:2:28', /text/],
  ])('%s is refused with its place and a remedy', async (_what, text, field, words) => {
    const problems = await wrong(policy(text))
    const problem = problems.find((one) => one.field.startsWith(field))
    expect(problem, JSON.stringify(problems)).toBeDefined()
    expect(`${problem?.message} ${problem?.remedy ?? ''}`).toMatch(words)
  })

  test.each([
    ['an unknown member', 'groups: [{ id: newcomers, members: [zoe] }]', 'more.yaml:1:37', 'There is no user zoe.'],
    ['an unknown manager', 'users: [{ id: zoe, manager: yan }]', 'more.yaml:1:29', 'There is no user yan.'],
    ['an unknown user of an agent', 'agents: [{ id: helper, user: yan }]', 'more.yaml:1:30', 'There is no user yan.'],
    ['a person declared twice', 'users: [{ id: alice }]', '.yaml:', 'alice is declared twice.'],
    ['a group declared twice', 'groups: [{ id: engineers }]', '.yaml:', 'engineers is declared twice.'],
    ['a group of a reserved name', 'groups: [{ id: owner }]', 'more.yaml:1:16', 'owner'],
    [
      'a second place for settings',
      'settings: { administrators: tidegate-admins }',
      '.yaml:',
      'Settings stand in more than one file.',
    ],
    ['a field there is not', 'users: [{ id: zoe, mail: x }]', 'more.yaml:1:9', 'mail'],
    ['a section there is not', 'polices: []', 'more.yaml:1:1', 'polices'],
    [
      'a token without an end',
      `users: [{ id: zoe, tokens: [{ hash: 'sha256:${'0'.repeat(64)}' }] }]`,
      'more.yaml:1:29',
      'expires',
    ],
    [
      'a token in clear',
      `users: [{ id: zoe, tokens: [{ hash: 'tdg_x', expires: '2099-01-01T00:00:00Z' }] }]`,
      'more.yaml:1:37',
      'tidegate token new',
    ],
    ['a connector there is not', 'resources: [{ id: web, kind: apache, roles: [] }]', 'more.yaml:1:', ''],
  ])('%s is refused with its place', async (_what, text, field, words) => {
    const problems = await wrong(yaml(text))
    const problem = problems.find((one) => one.field.includes(field))
    expect(problem, JSON.stringify(problems)).toBeDefined()
    expect(problem?.message).toContain(words)
  })

  test('two resources that share a target and its name space are refused, and with another prefix they are not', async () => {
    const text = world.files.find(({ path }) => path === 'orders-db.yaml')?.text ?? ''
    const twin = text.replace('id: orders-db', 'id: orders-copy')
    const [problem] = await wrong([...world.files, { path: 'zz.yaml', text: twin }])
    expect(problem?.field).toMatch(/^zz\.yaml:\d+:\d+$/)
    expect(problem?.remedy).toContain('rolePrefix')
    const apart = twin.replace(/rolePrefix: .*/, 'rolePrefix: another_')
    expect(
      (await world.admin.planConfig({ files: [...world.files, { path: 'zz.yaml', text: apart }] })).items,
    ).not.toEqual([])
  })

  test('a secret in clear is refused and not repeated', async () => {
    const files = edited(world.files, 'orders-db.yaml', [
      'password: env:ORDERS_DB_ADMIN_PASSWORD',
      'password: hunter2-in-clear',
    ])
    const problems = await wrong(files)
    expect(problems[0]?.message).toContain('env:NAME')
    expect(JSON.stringify(problems)).not.toContain('hunter2-in-clear')
  })

  test('everything that is wrong in all files is said at once', async () => {
    const problems = await wrong([
      ...world.files,
      { path: 'a.yaml', text: 'groups: [{ id: x, members: [zoe] }]' },
      { path: 'b.cedar', text: 'permit (principal, action, resource);' },
      { path: 'c.yaml', text: 'users: [{ id: yan, manager: zoe }]' },
    ])
    expect(new Set(problems.map(({ field }) => field.split(':')[0]))).toEqual(new Set(['a.yaml', 'b.cedar', 'c.yaml']))
  })

  test.each([
    ['named twice', [{ path: 'people.yaml', text: '' }], /twice/],
    ['of another kind', [{ path: 'notes.txt', text: 'hello' }], /Not a configuration file/],
  ])('a file that is %s is refused by its name', async (_what, files, words) => {
    const [problem] = await wrong([...world.files, ...files])
    expect(problem?.message).toMatch(words)
  })

  test('a configuration that leaves nobody to change it back is refused', async () => {
    const without = edited(world.files, 'people.yaml', [
      'id: tidegate-admins, members: [dora]',
      'id: tidegate-admins, members: [service:ci]',
    ])
    // The first administrator's token is the last way in; declared without it, that way is closed.
    const [problem] = await wrong(withFile(without, 'admin.yaml', 'users: [{ id: admin }]'))
    expect(problem).toMatchObject({
      field: 'settings.administrators',
      remedy: expect.stringContaining('unexpired token'),
    })
  })
})

test('a plan says what would change and changes nothing, and applying it changes exactly that', async () => {
  const mine = await createWorldForTest()
  const { grant } = await opened(mine.as('alice'))
  const start = await stateOf(mine.store)
  const files = [
    ...edited(
      mine.files.filter(({ path }) => path !== 'orders-db.yaml'),
      'people.yaml',
      ['members: [carol, dora]', 'members: [carol]'],
    ),
    { path: 'more.yaml', text: 'groups: [{ id: newcomers, members: [bob] }]' },
  ]
  const plan = await mine.admin.planConfig({ files })
  expect(plan.items.map(({ action, kind, id }) => `${action} ${kind} ${id}`).toSorted()).toEqual([
    'change group team-leads',
    'create group newcomers',
    'remove resource orders-db',
    'remove role orders-db/maintainer',
    'remove role orders-db/readonly',
    'remove role orders-db/writer',
  ])
  expect(plan.effects).toEqual([expect.stringContaining(`ends ${grant.id}`)])
  expect(await stateOf(mine.store)).toEqual(start)
  const change = await mine.admin.applyConfig({ files, base: plan.base })
  expect(change).toMatchObject({ status: 'applied', version: plan.base + 1, plan: { items: plan.items } })
  expect((await mine.admin.planConfig({ files })).items).toEqual([])
  expect((await mine.as('alice').listResources({})).items.map(({ id }) => id)).toEqual(['tidegate'])
})

test('applying what is in force already makes no version, and no entry but that of the power it took', async () => {
  const mine = await createWorldForTest()
  const types = await entryTypesOf(mine.admin)
  expect((await mine.admin.applyConfig({ files: mine.files.toReversed() })).version).toBeUndefined()
  expect(await entryTypesOf(mine.admin)).toEqual([...types, 'administration.standing-used', 'finding.opened'])
})

test('a policy that is left out permits nothing any more, and leaving everything out denies everything', async () => {
  const mine = await createWorldForTest()
  await mine.admin.applyConfig({ files: mine.files.filter(({ path }) => path !== 'access.cedar') })
  expect(await mine.as('alice').ask({ role: 'orders-db/readonly', duration: '1m' })).toMatchObject({
    outcome: 'deny',
    cause: 'no-policy',
  })
  await mine.admin.applyConfig({ files: [] })
  await expect(mine.as('alice').whoami({})).rejects.toMatchObject({ code: 'unauthenticated' })
  expect((await mine.admin.whoami({})).administrator).toBe(true)
})

test('of two who apply on the same base at the same time, one is told that it is stale', async () => {
  const mine = await createWorldForTest()
  const withGroup = (id: string): Files => [...mine.files, { path: 'more.yaml', text: `groups: [{ id: ${id} }]` }]
  const outcomes = await Promise.allSettled([
    mine.admin.applyConfig({ files: withGroup('one'), base: 1 }),
    mine.as('dora').applyConfig({ files: withGroup('two'), base: 1 }),
  ])
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'change-stale' } })
  await Promise.all(['three', 'four', 'five'].map((id) => mine.admin.applyConfig({ files: withGroup(id) })))
  const versions = await inStore(mine.store, 'select version from configuration_version order by version')
  expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5])
})

describe('with four eyes', () => {
  const files = (parts: Parts): Files =>
    edited(
      edited(defaultFiles(parts), 'people.yaml', ['auditors: security }', 'auditors: security, fourEyes: true }']),
      'people.yaml',
      ['id: tidegate-admins, members: [dora]', 'id: tidegate-admins, members: [dora, carol]'],
    )
  const wider: readonly [string, string] = ['@max_duration("2h")', '@max_duration("12h")']

  test('a change waits for another person, who sees its plan; its author cannot apply it', async () => {
    const mine = await createWorldForTest({ files })
    const proposed = await mine.as('dora').applyConfig({ files: edited(mine.files, 'access.cedar', wider) })
    expect(proposed).toMatchObject({ status: 'pending', author: 'user:dora', plan: { needsSecondPerson: true } })
    const wish = { role: 'orders-db/writer', duration: '12h' }
    expect((await mine.as('alice').ask(wish)).outcome).toBe('deny')
    await expect(mine.as('dora').approveChange({ id: proposed.id })).rejects.toMatchObject({
      code: 'second-person-needed',
    })
    await expect(mine.as('alice').approveChange({ id: proposed.id })).rejects.toMatchObject({ code: 'forbidden' })
    const seen = await mine.as('carol').getChange({ id: proposed.id })
    expect(seen.plan.items).toMatchObject([
      { action: 'change', kind: 'policy', id: 'prod-writing-needs-a-lead', sensitive: true },
    ])
    expect(await mine.as('carol').approveChange({ id: proposed.id })).toMatchObject({
      status: 'applied',
      settledBy: 'user:carol',
      version: 2,
    })
    expect((await mine.as('alice').ask(wish)).outcome).toBe('approve')
    await expect(mine.as('carol').approveChange({ id: proposed.id })).rejects.toMatchObject({ code: 'change-settled' })
    await expect(mine.as('carol').rejectChange({ id: proposed.id })).rejects.toMatchObject({ code: 'change-settled' })
    const types = await entryTypesOf(mine.admin)
    expect(types.filter((type) => type.startsWith('configuration.'))).toEqual([
      'configuration.applied',
      'configuration.proposed',
      'configuration.applied',
    ])
    expect((await entriesOf(mine.admin)).at(-1)?.entry).toMatchObject({ secondPerson: true, change: proposed.id })
  })

  test('turning four eyes off waits for another person as well, and the store refuses an author’s own yes', async () => {
    const mine = await createWorldForTest({ files })
    const off = await mine
      .as('dora')
      .applyConfig({ files: edited(mine.files, 'people.yaml', ['fourEyes: true', 'fourEyes: false']) })
    expect(off.status).toBe('pending')
    const forced = `update configuration_change set status = 'applied', settled_by = author, settled_at = at where id = $1`
    await expect(inStore(mine.store, forced, [off.id])).rejects.toThrow(/violates check constraint/)
    expect((await mine.as('carol').rejectChange({ id: off.id })).status).toBe('rejected')
  })

  test('a change that waits becomes stale when another comes into force, and is not applied', async () => {
    const mine = await createWorldForTest({ files })
    const [one, other] = [
      await mine.as('dora').applyConfig({ files: edited(mine.files, 'access.cedar', wider) }),
      await mine
        .as('dora')
        .applyConfig({ files: edited(mine.files, 'access.cedar', ['@max_duration("8h")', '@max_duration("9h")']) }),
    ]
    await mine.as('carol').approveChange({ id: other.id })
    const outcome = await mine.as('carol').approveChange({ id: one.id })
    expect(outcome.status).toBe('stale')
    expect(outcome.version).toBeUndefined()
    expect((await mine.as('alice').ask({ role: 'orders-db/writer', duration: '12h' })).outcome).toBe('deny')
  })

  test('of two who approve at the same time one applies it, and words for people wait for nobody', async () => {
    const mine = await createWorldForTest({ files })
    const described = edited(mine.files, 'orders-db.yaml', [
      'kind: postgres',
      'kind: postgres\n    description: Orders of the shop',
    ])
    expect((await mine.as('dora').applyConfig({ files: described })).status).toBe('applied')
    const { id } = await mine.as('dora').applyConfig({ files: edited(described, 'access.cedar', wider) })
    const outcomes = await Promise.allSettled([
      mine.as('carol').approveChange({ id }),
      mine.admin.approveChange({ id }),
    ])
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })
})

test('a session goes on through a change that does not concern it', async () => {
  const mine = await createWorldForTest()
  const session = await logIn((await opened(mine.as('alice'))).credential)
  await mine.admin.applyConfig({ files: [...mine.files, { path: 'more.yaml', text: 'groups: [{ id: newcomers }]' }] })
  await mine.server.drain()
  expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  expect(session.isCut()).toBe(false)
})
