/** What policies ask of sessions, from the answer to a real session behind a real gateway. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decide } from '@tidegate/core'
import type { Question } from '@tidegate/core'
import { readRecording, recordingFolder, type RunningGateway, startGateway } from '@tidegate/gateway'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { sessionRules } from '../packages/cli/src/gateway/session-rules.ts'
import { run } from '../packages/gateway/src/postgres/testing/psql.ts'
import { type Credential, libpqOf, logIn, onTarget, opened, outcomeOf } from './support/access.ts'
import { edited, withFile } from './support/edit.ts'
import { createGatewayWorld, joined, throughGateways } from './support/gateways.ts'
import { hasProgram } from './support/programs.ts'
import { entriesOf, inStore } from './support/story.ts'
import { createWorldForTest, defaultFiles } from './support/tidegate.ts'
import type { Files, Parts, World, WorldOptions } from './support/tidegate.ts'
import { eventually } from './support/eventually.ts'

const hasPsql = hasProgram('psql', 'apt-get install postgresql-client')

const sets = `
guards:
  - { id: no-deletes, rules: deny=DELETE }
  - { id: no-sleep, rules: { denyFunctions: [pg_sleep] } }
masks:
  - { id: pii, rules: { columns: [{ names: [email], by: full }] } }
  - { id: pii-in-part, rules: { columns: [{ names: [email, card_number], by: partial }] } }
recordings:
  - { id: commit-all, text: commit, parameters: commit }
`

/** Who is in this group is in `engineers` as well, which opens by itself. */
const contractors = (annotations: string, condition = ''): string => `
@id("contractors-are-held-to-more") @approvers("team-leads") @max_duration("10m") ${annotations}
permit (principal in Group::"contractors", action == Action::"access", resource in Label::"env=production") ${condition};
`

const filesWith =
  (annotations: string, condition?: string) =>
  (parts: Parts): Files => {
    const people = edited(defaultFiles(parts), 'people.yaml', [
      'groups:\n',
      'groups:\n  - { id: contractors, members: [alice] }\n',
    ])
    const all = withFile(people, 'sets.yaml', sets)
    return withFile(all, 'contractors.cedar', contractors(annotations, condition))
  }

const obliged = async (annotations: string, options: WorldOptions = {}): Promise<World> =>
  createGatewayWorld({ sessionRules: await sessionRules(), files: filesWith(annotations), ...options })

type Gated = { readonly world: World; readonly dir: string; readonly gateway: RunningGateway }

/** With a gateway that leads somewhere. */
async function gated(annotations: string, condition?: string): Promise<Gated> {
  const files = filesWith(annotations, condition)
  const world = await obliged(annotations, { background: true, time: 'system', files })
  const dir = await mkdtemp(join(tmpdir(), 'tidegate-gateway-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const { enrolmentToken } = await world.server.inviteGateway('gw-1')
  const listen = { host: '127.0.0.1', port: 0 }
  const gateway = await startGateway({ url: world.server.url, dir, enrolmentToken, listen, log: () => undefined })
  onTestFinished(() => gateway.stop())
  await onTarget(
    world.target,
    `insert into shop.customers (name, email, card_number, created_at) values ('Ada', 'ada@example.com', '4111111111111111', now())`,
  )
  return { world, dir, gateway }
}

const psql = (credential: Credential, ...commands: string[]) =>
  run('psql', ['-X', '-At', ...commands.flatMap((text) => ['-c', text])], { env: libpqOf(credential) })

const ada = `select email from shop.customers where name = 'Ada'`
const wish = { role: 'orders-db/readonly', duration: '30m' } as const

test('an answer says what sessions will be held to, by which policies, and so do the request, its grant and its entries', async () => {
  const world = await obliged('@mask("pii") @guard("no-deletes")')
  await joined(world)
  const obligations = [
    { kind: 'guard', name: 'no-deletes', policies: ['contractors-are-held-to-more'] },
    { kind: 'mask', name: 'pii', policies: ['contractors-are-held-to-more'] },
  ]
  const answer = await world.as('alice').ask(wish)
  expect(answer).toMatchObject({ outcome: 'permit', policies: ['engineers-read'], obligations })
  expect(await world.as('bob').ask(wish)).toMatchObject({ outcome: 'permit', obligations: [] })
  const { grant } = await opened(world.as('alice'))
  expect(grant.obligations).toEqual(obligations)
  expect(await world.as('alice').getRequest({ id: grant.request })).toMatchObject({ decision: { obligations } })
  const entries = await entriesOf(world.admin)
  const words = ['guard no-deletes', 'mask pii']
  for (const type of ['request.filed', 'grant.opening', 'grant.obliged'])
    expect(entries.find((one) => one.type === type)?.entry, type).toMatchObject({ obligations: words })
})

test('a decision is stored with them, and made again from what is stored it is the same', async () => {
  const world = await obliged('@mask("pii")')
  await joined(world)
  await opened(world.as('alice'))
  const { policies } = await policiesOf(world)
  const rows = await inStore(world.store, 'select id, question, answer from decision')
  expect(rows.length).toBeGreaterThan(1)
  for (const { id, question, answer } of rows) {
    expect(answer).toMatchObject({ obligations: [{ kind: 'mask', name: 'pii' }] })
    expect(decide(policies, question as Question, id as never)).toEqual(answer)
  }
})

test.skipIf(!hasPsql)('whoever is in two groups is masked, by whichever of them the door was opened', async () => {
  const { world } = await gated('@mask("pii")')
  const { credential } = await opened(world.as('alice'))
  expect((await psql(credential, ada, `select 'x' || email from shop.customers`)).stdout).not.toContain('example.com')
  expect((await psql(credential, ada)).stdout).toBe('***\n')
  const other = await opened(world.as('bob'))
  expect((await psql(other.credential, ada)).stdout).toBe('ada@example.com\n')
})

test.skipIf(!hasPsql)('of two masks a cell is shown as the stricter has it, and both are held to', async () => {
  const { world } = await gated('@mask("pii-in-part, pii")')
  const { credential } = await opened(world.as('alice'))
  const { stdout } = await psql(credential, `select email, card_number from shop.customers where name = 'Ada'`)
  expect(stdout).toBe('***|************1111\n')
  const copied = await psql(credential, 'copy shop.customers (email, card_number, name) to stdout')
  expect(copied.stdout).toContain('***\t************1111\tAda')
})

test.skipIf(!hasPsql)('a guard that policy asks for refuses with its rule, and the session goes on', async () => {
  const { world } = await gated('@guard("no-sleep, no-deletes")')
  const { credential } = await opened(world.as('alice'))
  const { stdout, stderr } = await psql(
    credential,
    String.raw`\set VERBOSITY verbose`,
    'delete from shop.orders',
    'select pg_sleep(0)',
    'select 6 * 7',
  )
  expect(stderr).toMatch(/ERROR: {2}42501: .*DELETE/)
  expect(stderr).toMatch(/42501: .*pg_sleep/)
  expect(stderr).toContain('statements')
  expect(stdout).toContain('42')
  const other = await opened(world.as('bob'))
  expect((await psql(other.credential, 'select pg_sleep(0)')).stderr).toBe('')
})

test('a recording that policy asks to commit to holds neither a statement nor a value of it', async () => {
  const { world, dir } = await gated('@record("commit-all")')
  const { credential } = await opened(world.as('alice'))
  const client = new pg.Client(connectionOf(credential))
  await client.connect()
  await client.query('select $1::text as very_private_text', ['very private value'])
  await client.end()
  const session = await eventually(async () => {
    const { items } = await world.as('alice').listSessions({ open: 'false' })
    expect(items).toHaveLength(1)
    return items[0]!
  })
  const folder = recordingFolder(join(dir, 'recordings'), session.id, Date.parse(session.startedAt) as never)
  const statements: unknown[] = []
  for await (const event of readRecording(folder))
    if (JSON.stringify(event).includes('"statement"')) statements.push(event)
  expect(statements.length).toBeGreaterThan(0)
  expect(JSON.stringify(statements)).not.toMatch(/private/)
  for (const file of await readdir(folder))
    expect(await readFile(join(folder, file), 'latin1')).not.toContain('private')
})

test('when a fact changes what policy asks for, the open session ends with the reason, and the next is held to it', async () => {
  const { world } = await gated('@mask("pii")', 'when { context has device && !context.device.managed }')
  const { grant, credential } = await opened(world.as('alice'))
  const { client, ended } = await connected(credential)
  expect((await client.query(ada)).rows).toEqual([{ email: 'ada@example.com' }])
  await world.as('device-manager').putSignal({
    name: 'device',
    subject: 'user:alice',
    value: { compliant: true, managed: false },
    observedAt: new Date(world.clock.now()).toISOString(),
  })
  expect(await ended).toBe(`the rules of this access have changed; connect again (grant ${grant.id})`)
  const next = await connected(credential)
  expect((await next.client.query(ada)).rows).toEqual([{ email: '***' }])
  expect((await world.as('alice').getGrant({ id: grant.id })).obligations).toMatchObject([{ name: 'pii' }])
})

async function connected(credential: Credential): Promise<{ client: pg.Client; ended: Promise<string> }> {
  const client = new pg.Client(connectionOf(credential))
  const ended = new Promise<string>((resolve) => client.on('error', ({ message }) => resolve(message)))
  await client.connect()
  onTestFinished(() => client.end().catch(() => undefined))
  return { client, ended }
}

const connectionOf = ({ host, port, user, secret, databases }: Credential) => ({
  host,
  port,
  user,
  password: secret,
  database: databases[0]!,
})

test('without a gateway required nothing is opened that policy wants held to something, and it is said why', async () => {
  const world = await createWorldForTest({ sessionRules: await sessionRules(), files: filesWith('@mask("pii")') })
  const answer = await world.as('alice').ask(wish)
  expect(answer).toMatchObject({ outcome: 'deny', cause: 'needs-gateway', remedies: [] })
  expect(answer.reasons[0]).toContain('gateway: required')
  const refused = await world.as('alice').createRequest({ ...wish, reason: 'Looking into order 7' })
  expect(refused).toMatchObject({ status: 'denied' })
  expect((await opened(world.as('bob'))).credential.host).toBe(world.target.host)
})

test('a plan tells of roles that a policy would close because no gateway is required there', async () => {
  const world = await createWorldForTest({ sessionRules: await sessionRules() })
  const { effects } = await world.admin.planConfig({ files: filesOf(world, '@mask("pii")') })
  expect(effects).toContainEqual(expect.stringMatching(/^denies orders-db\/readonly to whomever policy contractors-/))
})

test('access that was opened directly ends when policy asks something of its sessions', async () => {
  const world = await createWorldForTest({ sessionRules: await sessionRules() })
  await joined(world)
  const { grant, credential } = await opened(world.as('alice'))
  const session = await logIn(credential)
  await world.admin.applyConfig({ files: throughGateways(filesOf(world, '@mask("pii")')) })
  expect((await world.as('alice').getGrant({ id: grant.id })).end).toMatchObject({ reason: 'policy-changed' })
  await world.server.drain()
  await session.cut
  expect((await opened(world.as('alice'))).grant.obligations).toHaveLength(1)
})

test('access that was opened directly ends when its resource asks for a gateway, and the plan says so', async () => {
  const world = await createWorldForTest()
  await joined(world)
  const { grant, credential } = await opened(world.as('bob'))
  const session = await logIn(credential)
  const files = throughGateways(world.files)
  expect((await world.admin.planConfig({ files })).effects.join('\n')).toContain(grant.id)
  await world.admin.applyConfig({ files })
  expect((await world.as('bob').getGrant({ id: grant.id })).end).toMatchObject({ reason: 'resource-changed' })
  await world.server.drain()
  await session.cut
  const again = await opened(world.as('bob'))
  await world.admin.applyConfig({ files: throughGateways(world.files) })
  expect((await world.as('bob').getGrant({ id: again.grant.id })).state).toBe('active')
})

test('what policy asks of a live grant changes with policy and with facts, and each change is an entry', async () => {
  const world = await obliged('')
  const gateway = await joined(world)
  const { grant } = await opened(world.as('alice'))
  expect(grant.obligations).toEqual([])
  await world.admin.applyConfig({ files: filesOf(world, '@guard("no-deletes")') })
  expect((await world.as('alice').getGrant({ id: grant.id })).obligations).toMatchObject([{ name: 'no-deletes' }])
  expect((await gateway.client.releaseLogin({ id: grant.id })).guards).toEqual(['deny=DELETE'])
  await world.admin.applyConfig({ files: filesOf(world, '@mask("pii")') })
  const { guards, masks } = await gateway.client.releaseLogin({ id: grant.id })
  expect([guards, masks]).toEqual([[], [{ columns: [{ names: ['email'], by: 'full' }] }]])
  const entries = (await entriesOf(world.admin, { grant: grant.id })).filter(({ type }) => type === 'grant.obliged')
  expect(entries.map(({ entry }) => entry['obligations'])).toEqual([['guard no-deletes'], ['mask pii']])
})

test('a grant that is held to something that nobody declares any more opens nothing', async () => {
  const world = await obliged('@mask("pii")')
  const gateway = await joined(world)
  const { grant } = await opened(world.as('alice'))
  const gone = JSON.stringify([{ kind: 'mask', name: 'gone', policies: ['a'] }])
  await inStore(world.store, 'update access_grant set obligations = $1 where id = $2', [gone, grant.id])
  expect(await outcomeOf(gateway.client.releaseLogin({ id: grant.id }))).toBe('grant-ended')
})

/** The world's files, with contractors held to something else. */
const filesOf = ({ files }: World, annotations: string): Files => {
  const people = files.some(({ text }) => text.includes('id: contractors'))
    ? files
    : edited(files, 'people.yaml', ['groups:\n', 'groups:\n  - { id: contractors, members: [alice] }\n'])
  return withFile(withFile(people, 'sets.yaml', sets), 'contractors.cedar', contractors(annotations))
}

/** As they are in force. */
async function policiesOf(world: World) {
  const { connectorKinds } = await import('@tidegate/connectors')
  const { parseConfiguration } = await import('../packages/server/src/configuration/parse.ts')
  const parsed = parseConfiguration(world.files, {
    version: 1,
    kinds: connectorKinds,
    sessionRules: await sessionRules(),
  })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  return parsed.snapshot
}
