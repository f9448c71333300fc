/** Administration and break-glass as people meet them: real processes of the command line, a server, a target and psql. */

import { hours } from '@tidegate/core'
import { expect, test, vi } from 'vitest'
import { run as runProgram } from '../packages/gateway/src/postgres/testing/psql.ts'
import type { CommandLine, Ran } from './support/command-line-process.ts'
import { commandLineFor } from './support/command-line-process.ts'
import { hasProgram } from './support/programs.ts'
import { loginsOn } from './support/access.ts'
import type { Parts, World } from './support/tidegate.ts'
import { createWorldForTest, defaultFiles } from './support/tidegate.ts'

// Each command is a process of its own, which takes a second or more.
vi.setConfig({ testTimeout: 180_000 })

const hasPsql = hasProgram('psql', 'apt-get install postgresql-client')

const glass = `
breakGlass:
  people: [alice]
  roles: [orders-db/maintainer, tidegate/owner]
  longest: 1h
  proof: any
  review: { by: security, within: 4h }
  notify: [orders-team]
`

const policies = `
@id("glass") permit (principal, action == Action::"break-glass", resource in Label::"service=orders");
@id("glass-tidegate") permit (principal, action == Action::"break-glass", resource == Role::"tidegate/owner");
@id("audit") @max_duration("2h")
permit (principal in Group::"engineers", action == Action::"access", resource == Role::"tidegate/auditor");
`

const files = (parts: Parts): World['files'] => [
  ...defaultFiles(parts),
  { path: 'glass.yaml', text: glass },
  { path: 'glass.cedar', text: policies },
]

type Scene = { readonly world: World; readonly as: (person: string) => CommandLine['run'] }

async function newScene(): Promise<Scene> {
  const world = await createWorldForTest({ files })
  const as = (person: string): CommandLine['run'] =>
    commandLineFor(world.server.url, { TIDEGATE_TOKEN: world.tokenOf(person) }).run
  return { world, as }
}

const emergency = { role: 'orders-db/maintainer', duration: '10m', reason: 'Orders are down' }
const breaking = ['break-glass', 'orders-db/maintainer', '--reason', 'Orders are down'] as const

const whole = ({ stdout, stderr }: Ran): string => stdout + stderr
const idIn = (text: string, prefix: string): string => new RegExp(`${prefix}_[0-9a-z]{26}`).exec(text)?.[0] ?? ''

test.skipIf(!hasPsql)(
  'glass is broken, psql connects, someone else reviews it late, and until then it is not broken again',
  async () => {
    const { world, as } = await newScene()
    const [alice, sam] = [as('alice'), as('sam')]

    const broken = await alice(...breaking)
    expect([broken.code, broken.stderr]).toEqual([0, ''])
    expect(broken.stdout).toMatch(/^Glass broken: orders-db\/maintainer; it ends /)
    const review = idIn(broken.stdout, 'rev')
    expect(broken.stdout).toContain(`review ${review}.`)
    expect(broken.stdout).toContain('tidegate connect orders-db/maintainer')

    const printed = await alice('connect', 'orders-db/maintainer', '--print')
    expect([printed.code, printed.stdout]).toEqual([0, expect.stringMatching(/^postgresql:\/\//)])
    const text = `begin; delete from shop.order_items where order_id = 1; rollback; select current_user`
    const session = await runProgram('psql', ['-X', '-q', '-At', '-d', printed.stdout.trim(), '-c', text])
    expect([session.code, session.stdout.trim()]).toEqual([0, (await loginsOn(world.target))[0]])

    const [own, theirs] = [await alice('reviews'), await sam('reviews')]
    for (const seen of [own, theirs])
      expect([seen.code, seen.stdout]).toEqual([0, expect.stringMatching(new RegExp(`${review} +user:alice .* due `))])
    const byHerself = await alice('reviews', 'close', review, '--comment', 'It was fine')
    expect([byHerself.code, byHerself.stderr]).toEqual([3, expect.stringContaining('own use')])

    const done = await alice('done', idIn(broken.stdout, 'grt'))
    expect(done.code).toBe(0)
    await world.server.drain()
    expect(await loginsOn(world.target)).toEqual([])

    world.clock.advance(hours(4))
    const blocked = await alice(...breaking)
    expect([blocked.code, blocked.stdout]).toEqual([3, ''])
    expect(blocked.stderr).toContain(`tidegate reviews close ${review}`)
    expect(await loginsOn(world.target)).toEqual([])

    const closed = await sam('reviews', 'close', review, '--comment', 'Fits the incident')
    expect([closed.code, closed.stdout]).toEqual([0, `Closed: ${review} (user:alice, orders-db/maintainer).\n`])
    const again = await sam('reviews', 'close', review, '--comment', 'Once more')
    expect([again.code, again.stderr]).toEqual([3, expect.stringContaining('user:sam closed it')])
    expect((await alice(...breaking)).code).toBe(0)
  },
)

test('programs are told the same by --output json, without a secret, and refusals by their exit code', async () => {
  const { world, as } = await newScene()
  const alice = as('alice')
  const broken = await alice(...breaking, '--for', '10m', '--output', 'json')
  expect(broken.code).toBe(0)
  const { grant, request, review, ...more } = JSON.parse(broken.stdout) as Record<string, Record<string, unknown>>
  expect(grant).toMatchObject({ role: 'orders-db/maintainer', state: 'active' })
  expect(request).toMatchObject({ status: 'approved', reason: 'Orders are down' })
  expect(review).toMatchObject({ principal: 'user:alice', overdue: false, grant: grant?.['id'] })
  expect(more).toEqual({})
  const listed = JSON.parse((await as('bob')('reviews', '--output', 'json')).stdout) as { items: object[] }
  expect(listed.items).toMatchObject([{ id: review?.['id'] }])
  const refused: readonly (readonly [args: readonly string[], who: string, code: number, says: string])[] = [
    [
      ['break-glass', 'orders-db/maintainer', '--reason', 'I want to'],
      'bob',
      3,
      'tidegate request orders-db/maintainer',
    ],
    [['break-glass', 'orders-db/writer', '--reason', 'I want to'], 'alice', 3, 'tidegate/owner'],
    [['break-glass', 'orders-db/maintainer', '--reason', 'Long', '--for', '3h'], 'alice', 3, '1h at most'],
    [['break-glass', 'orders-db/none', '--reason', 'I want to'], 'alice', 3, 'It is there for'],
    [['break-glass', 'orders-db/maintainer'], 'alice', 2, '--reason'],
    [['reviews', 'close', 'rev_none', '--comment', 'x'], 'sam', 6, 'no such thing'],
    [['assume', 'orders-db/readonly', '--reason', 'x'], 'alice', 2, 'tidegate connect orders-db/readonly'],
  ]
  for (const [args, who, code, says] of refused) {
    const ran = await as(who)(...args)
    expect([args, ran.code, ran.stdout, whole(ran).includes(says) ? says : ran.stderr]).toEqual([args, code, '', says])
  }
  // Nothing was asked for on the way to a refusal.
  expect((await world.as('alice').listGrants({ role: 'orders-db/readonly' })).items).toEqual([])
  const problem = await as('bob')(...breaking, '--output', 'json')
  expect([problem.code, problem.stdout]).toEqual([3, ''])
  expect(JSON.parse(problem.stderr)).toMatchObject({ code: 'break-glass-refused', status: 403 })
  expect(whole(broken) + whole(problem)).not.toContain(world.tokenOf('alice'))
})

test('a role of Tidegate is assumed for a while, says what it gives, and is handed back', async () => {
  const { as } = await newScene()
  const alice = as('alice')
  const before = await alice('findings')
  expect([before.code, before.stderr]).toEqual([3, expect.stringContaining('tidegate assume tidegate/auditor')])
  const assumed = await alice('assume', 'tidegate/auditor', '--for', '1h', '--reason', 'Quarterly audit')
  expect([assumed.code, assumed.stdout]).toEqual([0, expect.stringMatching(/^Yours: tidegate\/auditor; it ends /)])
  const grant = idIn(assumed.stdout, 'grt')
  expect((await alice('whoami')).stdout).toMatch(/tidegate\/auditor/)
  expect((await alice('findings')).code).toBe(0)
  const again = await alice('assume', 'tidegate/auditor', '--reason', 'Once more', '--output', 'json')
  expect(JSON.parse(again.stdout)).toMatchObject({ id: grant, state: 'active' })
  expect((await alice('done', grant)).code).toBe(0)
  expect((await alice('findings')).code).toBe(3)
})

test('whoever broke glass for Tidegate itself owns it at once, and is told so without a login', async () => {
  const { as } = await newScene()
  const alice = as('alice')
  const broken = await alice('break-glass', 'tidegate/owner', '--reason', 'Nobody who owns it answers')
  expect([broken.code, broken.stdout]).toEqual([0, expect.stringContaining('Glass broken: tidegate/owner')])
  expect(broken.stdout).not.toContain('tidegate connect')
  const me = await alice('whoami', '--output', 'json')
  expect(JSON.parse(me.stdout)).toMatchObject({ administrator: true, administration: [{ by: 'grant' }] })
  const status = await as('sam')('status')
  expect(whole(status)).toContain('Break-glass: user:alice for tidegate/owner, due in ')
})

test('a program that follows the log hears of each use as it happens, one line of JSON each', async () => {
  const { world, as } = await newScene()
  const [alice, first] = [as('alice'), await world.as('alice').breakGlass(emergency)]
  const watching = commandLineFor(world.server.url, { TIDEGATE_TOKEN: world.tokenOf('sam') })
  const following = watching.start(['audit', 'tail', '-f', '-n', '1', '--type', 'break-glass.used', '--output', 'json'])
  await following.printed(new RegExp(`^\\{.*"review":"${first.review.id}".*\\}\\n$`))
  const review = idIn((await alice(...breaking)).stdout, 'rev')
  const [line = ''] = await following.printed(new RegExp(`^\\{.*"review":"${review}".*\\}$`, 'm'))
  expect(JSON.parse(line)).toMatchObject({ type: 'break-glass.used', entry: { notified: ['orders-team'] } })
})
