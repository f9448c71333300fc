/** Messages to people outside: signed, from the log, at least once, in its order, and never in anyone's way. */

import { expect, onTestFinished, test, vi } from 'vitest'
import { days, hours, instant, minutes, seconds } from '@tidegate/core'
import { createLogger, startServer } from '@tidegate/server'
import { makeCertificates } from '../packages/gateway/src/postgres/testing/certificates.ts'
import { systemRuntime } from '../packages/server/src/runtime.ts'
import { commandLineFor } from './support/command-line-process.ts'
import { clusterOf } from './support/databases.ts'
import { edited, withFile } from './support/edit.ts'
import { startProxyForTest } from './support/proxy.ts'
import type { Received, Receiver } from './support/receiver.ts'
import { newSecret, startReceiverForTest, verify } from './support/receiver.ts'
import { entriesOf, everythingIn, inStore } from './support/story.ts'
import type { Parts, World, WorldOptions } from './support/tidegate.ts'
import { createWorldForTest, defaultFiles } from './support/tidegate.ts'

// Some start processes of the command line.
vi.setConfig({ testTimeout: 60_000 })

const glass = `
breakGlass:
  people: [alice]
  roles: [orders-db/maintainer]
  longest: 1h
  proof: any
  review: { by: security, within: 24h }
`

const glassPolicy = `@id("glass") permit (principal, action == Action::"break-glass", resource in Label::"env=production");`

const webhookYaml = (lines: readonly string[]): string =>
  lines.length === 0 ? 'webhooks: []' : ['webhooks:', ...lines].join('\n')

const filesWith =
  (webhooks: readonly string[]) =>
  (parts: Parts): World['files'] => [
    ...defaultFiles(parts),
    { path: 'glass.yaml', text: glass },
    { path: 'glass.cedar', text: glassPolicy },
    { path: 'webhooks.yaml', text: webhookYaml(webhooks) },
  ]

const secret = newSecret()
const env = { PAGER_SECRET: secret }

/** One that gets every request, which costs the test least. */
const asking = ({ url }: Pick<Receiver, 'url'>, id = 'pager'): string =>
  `  - { id: ${id}, url: '${url}/hook?key=hidden', secrets: [env:PAGER_SECRET], entries: [request.filed] }`

type Scene = { readonly world: World; readonly receiver: Receiver }

async function newScene(options: Partial<WorldOptions> = {}): Promise<Scene> {
  const receiver = await startReceiverForTest()
  const world = await createWorldForTest({ files: filesWith([asking(receiver)]), env, ...options })
  return { world, receiver }
}

const emergency = { role: 'orders-db/maintainer', duration: '30m', reason: 'Orders are down, call 555-0100' }
const reading = { role: 'orders-db/readonly', duration: '1h', reason: 'Looking into order 7' }

const ask = async ({ as }: World): Promise<string> => (await as('alice').createRequest(reading)).id
const requestsIn = (received: readonly Received[]): unknown[] => received.map(({ message }) => message.data['request'])
const idsIn = (received: readonly Received[]): string[] => received.map(({ id }) => id)

const findingsOf = async (world: World): Promise<string[]> =>
  (await world.as('sam').listFindings({ open: 'true', kind: 'webhook-failing' })).items.map(({ message }) => message)

const rowOf = async (world: World, id = 'pager'): Promise<Record<string, unknown>> =>
  (await inStore(world.store, 'select * from webhook where id = $1', [id]))[0] ?? {}

test('glass is broken, and the receiver can tell that it is so, by whom and for what, and that Tidegate says it', async () => {
  const certificates = await makeCertificates()
  onTestFinished(() => certificates.remove())
  const receiver = await startReceiverForTest({ tls: certificates.server })
  const pager = `  - { id: pager, url: '${receiver.url}/t/5up3r', secrets: [env:PAGER_SECRET], ca: env:RECEIVER_CA }`
  const world = await createWorldForTest({
    files: filesWith([pager]),
    env: { ...env, RECEIVER_CA: certificates.ca },
    background: true,
    time: 'system',
  })
  const { grant, review } = await world.as('alice').breakGlass(emergency)
  const [told] = await receiver.count(1)

  const [entry] = (await world.as('sam').listEntries({ type: 'break-glass.used' })).items
  expect(verify(secret, told!)).toEqual({
    version: 1,
    type: 'break-glass.used',
    timestamp: entry?.at,
    data: {
      entry: entry?.id,
      index: expect.any(Number),
      about: expect.stringContaining('in an emergency'),
      resource: 'orders-db',
      role: 'orders-db/maintainer',
      request: grant.request,
      grant: grant.id,
      who: { principal: 'user:alice' },
      fields: expect.objectContaining({ review: review.id, reviewers: 'security', webhooks: ['pager'] }),
      server: world.server.url,
      look: 'tidegate reviews',
    },
  })
  expect([told?.id, told?.path]).toEqual([entry?.id, '/t/5up3r'])
  expect(() => verify(newSecret(), told!)).toThrow('No matching signature found')
  // What is private stays here.
  expect(told?.body).not.toContain('555-0100')
})

test('messages come in the order of the log, each once, and from where the log ended when the webhook was declared', async () => {
  const receiver = await startReceiverForTest()
  const world = await createWorldForTest({ files: filesWith([]), env })
  await ask(world)
  await world.server.drain()
  await world.admin.applyConfig({ files: withFile(world.files, 'webhooks.yaml', webhookYaml([asking(receiver)])) })
  const asked = [await ask(world), await ask(world), await ask(world)]
  await world.server.drain()
  await world.server.drain()
  expect(requestsIn(receiver.received)).toEqual(asked)
  const index = receiver.received.map(({ message }) => message.data['index'] as number)
  expect(index).toEqual(index.toSorted((a, b) => a - b))
})

test.each([
  ['500', { status: 500 } as const],
  ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/elsewhere' } } as const],
  ['400', { status: 400 } as const],
])('a message that is answered with %s is sent again, later, and what comes behind it waits', async (_, answer) => {
  const { world, receiver } = await newScene()
  receiver.answer(answer)
  const asked = [await ask(world), await ask(world)]
  await world.server.drain()
  await world.server.drain()
  expect(requestsIn(receiver.received)).toEqual([asked[0]])
  receiver.answer({ status: 200 })
  world.clock.advance(seconds(1))
  await world.server.drain()
  expect(requestsIn(receiver.received)).toEqual([asked[0], asked[0], asked[1]])
  expect(receiver.received[1]?.id).toBe(receiver.received[0]?.id)
})

test('a message that could not be sent is sent when there is someone again', async () => {
  const { world, receiver } = await newScene()
  const port = Number(new URL(receiver.url).port)
  await receiver.close()
  const asked = await ask(world)
  await world.server.drain()
  expect(await rowOf(world)).toMatchObject({ failures: 1, error: 'It could not be reached (ECONNREFUSED).' })
  const back = await startReceiverForTest({ port })
  world.clock.advance(seconds(1))
  await world.server.drain()
  expect(requestsIn(back.received)).toEqual([asked])
  expect(await rowOf(world)).toMatchObject({ failures: 0 })
})

test('a message whose answer was lost is sent again with the same id', async () => {
  const { world, receiver } = await newScene()
  receiver.answer('drop')
  await ask(world)
  await world.server.drain()
  receiver.answer({ status: 204 })
  world.clock.advance(seconds(1))
  await world.server.drain()
  const [first, second] = idsIn(receiver.received)
  expect([receiver.received.length, second]).toEqual([2, first])
})

test('a message that was taken while the store was gone is sent again with the same id', async () => {
  const proxy = await startProxyForTest(clusterOf('store'))
  const { world, receiver } = await newScene({ storeAt: proxy })
  await ask(world)
  const held = proxy.holdRequest('update "webhook" set "next_index"')
  const draining = world.server.drain().catch(() => 'failed')
  await held
  proxy.cut()
  expect(await draining).toBe('failed')
  expect(receiver.received).toHaveLength(1)
  proxy.mend()
  await world.server.drain()
  await ask(world)
  await world.server.drain()
  const [first, second, third] = idsIn(receiver.received)
  expect([receiver.received.length, second]).toEqual([3, first])
  expect(third).not.toBe(first)
})

test('what a server that died had in hand another sends when its turn is over, and not before', async () => {
  const { world, receiver } = await newScene()
  const asked = await ask(world)
  await world.server.drain()
  // As it stands when a server is killed between the answer and its word of it.
  await inStore(
    world.store,
    `alter table webhook disable trigger onward; update webhook set next_index = 0, sender = 'dead', sender_until = '${new Date(world.clock.now() + seconds(30)).toISOString()}'; alter table webhook enable trigger onward`,
  )
  const other = await world.startAnother()
  await Promise.all([world.server.drain(), other.drain()])
  expect(requestsIn(receiver.received)).toEqual([asked])
  world.clock.advance(seconds(30))
  await other.drain()
  expect(requestsIn(receiver.received)).toEqual([asked, asked])
  expect(receiver.received[1]?.id).toBe(receiver.received[0]?.id)
})

test('of several servers one sends', async () => {
  const { world, receiver } = await newScene()
  const servers = [world.server, await world.startAnother(), await world.startAnother()]
  const asked: string[] = []
  for (let count = 0; count < 5; count++) asked.push(await ask(world))
  await Promise.all(servers.map((server) => server.drain()))
  await Promise.all(servers.map((server) => server.drain()))
  expect(requestsIn(receiver.received)).toEqual(asked)
})

test('a receiver that hangs holds up no other, nobody who asks, and not the end of the server', async () => {
  const [slow, quick] = [await startReceiverForTest(), await startReceiverForTest()]
  slow.answer('hang')
  const files = filesWith([asking(slow, 'slow'), asking(quick, 'quick')])
  const world = await createWorldForTest({ files, env, background: true, time: 'system' })
  const asked = [await ask(world), await ask(world)]
  expect(requestsIn(await quick.count(2))).toEqual(asked)
  expect(await slow.count(1)).toHaveLength(1)
  // It waits for an answer, and nothing of the store is held for it.
  const unlocked = `select id from webhook where id = 'slow' for update skip locked`
  expect(await inStore(world.store, unlocked)).toEqual([{ id: 'slow' }])
  await world.server.stop()
  expect(await rowOf(world, 'slow')).toMatchObject({ failures: 0, sender: null })
})

test('what is nothing to a webhook is looked through once, and then there is quiet', async () => {
  const proxy = await startProxyForTest(clusterOf('store'))
  const receiver = await startReceiverForTest()
  const files = filesWith([asking(receiver).replace('request.filed', 'gateway.removed')])
  const world = await createWorldForTest({ files, env, storeAt: proxy, background: true, time: 'system' })
  await world.admin.getReceipt({ id: await ask(world) })
  const before = proxy.trips()
  // Meanwhile someone else asks the store this often: whoever never rests has been there more often by then.
  for (let count = 0; count < 60; count++) await inStore(world.store, 'select 1')
  expect(proxy.trips() - before).toBeLessThan(60)
})

test('a receiver that says that it is none any more is left alone until configuration changes', async () => {
  const { world, receiver } = await newScene()
  receiver.answer({ status: 410 })
  const asked = [await ask(world)]
  await world.server.drain()
  receiver.answer({ status: 200 })
  world.clock.advance(hours(1))
  asked.push(await ask(world))
  await world.server.drain()
  expect(receiver.received).toHaveLength(1)
  expect(await findingsOf(world)).toEqual([expect.stringContaining('none any more (410)')])
  const types = (await entriesOf(world.admin)).map(({ type }) => type)
  expect(types).toContain('webhook.switched-off')
  const changed = webhookYaml([asking(receiver).replace('/hook', '/anew')])
  await world.admin.applyConfig({ files: withFile(world.files, 'webhooks.yaml', changed) })
  await world.server.drain()
  expect(requestsIn(receiver.received)).toEqual([asked[0], ...asked])
  expect(await findingsOf(world)).toEqual([])
})

test('one that keeps failing is a finding, which closes by itself when a message is taken', async () => {
  const { world, receiver } = await newScene()
  receiver.answer({ status: 503 })
  await ask(world)
  const found: number[] = []
  for (let attempt = 1; attempt <= 6; attempt++) {
    await world.server.drain()
    found.push((await findingsOf(world)).length)
    world.clock.advance(minutes(5))
  }
  expect([receiver.received.length, found]).toEqual([6, [0, 0, 0, 0, 1, 1]])
  const [message] = await findingsOf(world)
  expect(message).toContain('It answered 503. Nothing has arrived so far.')
  receiver.answer({ status: 200 })
  await world.server.drain()
  expect(await findingsOf(world)).toEqual([])
  const about = (await entriesOf(world.admin)).filter(({ entry }) => entry['subject'] === 'webhook:pager')
  expect(about.map(({ type }) => type)).toEqual(['finding.opened', 'finding.closed'])
})

test('one that asks to be left alone for a while is, and for no longer than an hour', async () => {
  const { world, receiver } = await newScene()
  receiver.answer({ status: 429, headers: { 'retry-after': '600' } })
  await ask(world)
  await world.server.drain()
  world.clock.advance(seconds(599))
  await world.server.drain()
  expect(receiver.received).toHaveLength(1)
  receiver.answer({ status: 429, headers: { 'retry-after': '999999' } })
  world.clock.advance(seconds(1))
  await world.server.drain()
  expect(receiver.received).toHaveLength(2)
  world.clock.advance(hours(1))
  await world.server.drain()
  expect(receiver.received).toHaveLength(3)
})

test('what is too old is given up after a failed attempt, with its count in the log, and what is not is sent', async () => {
  const { world, receiver } = await newScene()
  receiver.answer({ status: 500 })
  const old = [await ask(world), await ask(world)]
  await world.server.drain()
  world.clock.advance(days(3) + hours(2))
  const young = await ask(world)
  await world.server.drain()
  expect(requestsIn(receiver.received)).toEqual([old[0], old[0]])
  const [gaveUp] = (await world.as('sam').listEntries({ type: 'webhook.gave-up' })).items
  expect(gaveUp?.entry).toMatchObject({ webhook: 'pager', count: 2 })
  receiver.answer({ status: 200 })
  world.clock.advance(minutes(5))
  await world.server.drain()
  expect(requestsIn(receiver.received)).toEqual([old[0], old[0], young])
})

test('what was only late is sent, however old it is, and whatever the clock does', async () => {
  const { world, receiver } = await newScene()
  const asked = await ask(world)
  world.clock.advance(days(40))
  await world.server.drain()
  world.clock.set(world.clock.now() - days(20))
  const next = await ask(world)
  await world.server.drain()
  expect(requestsIn(receiver.received)).toEqual([asked, next])
})

test('while secrets change, whoever knows either of the two can tell that a message is ours', async () => {
  const receiver = await startReceiverForTest()
  const next = newSecret()
  const both = asking(receiver).replace('[env:PAGER_SECRET]', '[env:NEXT_SECRET, env:PAGER_SECRET]')
  const world = await createWorldForTest({ files: filesWith([both]), env: { ...env, NEXT_SECRET: next } })
  await ask(world)
  await world.server.drain()
  const [told] = receiver.received
  for (const known of [secret, next]) expect(verify(known, told!)).toMatchObject({ type: 'request.filed' })
  expect(() => verify(newSecret(), told!)).toThrow('No matching signature found')
})

test.each([
  ['is missing', {}, 'The environment variable PAGER_SECRET is not set where the server runs.'],
  ['is a password', { PAGER_SECRET: 'correct horse battery staple' }, 'The secret env:PAGER_SECRET cannot be used.'],
])(
  'where its secret %s, that is a finding before there is anything to send, and nothing is sent',
  async (_, env, says) => {
    const { world, receiver } = await newScene({ env })
    await world.server.drain()
    expect(await findingsOf(world)).toEqual([expect.stringContaining(says)])
    await ask(world)
    await world.server.drain()
    expect(receiver.received).toEqual([])
    expect(await everythingIn(world.store)).not.toContain('correct horse')
  },
)

test('where one of two servers has no secret, that is one finding for as long as it is so, whatever the other sends', async () => {
  const { world, receiver } = await newScene()
  const runtime = { ...systemRuntime, now: () => instant(world.clock.now()) }
  const logger = createLogger('silent')
  const lame = await startServer({ settings: world.settings, env: {}, logger, runtime, background: false })
  onTestFinished(() => lame.stop())
  for (let count = 1; count <= 4; count++) {
    await ask(world)
    await lame.drain()
    await world.server.drain()
    world.clock.advance(minutes(1))
    await world.server.drain()
    expect([receiver.received.length, (await findingsOf(world)).length]).toEqual([count, 1])
  }
  await lame.stop()
  world.clock.advance(minutes(2))
  await world.server.drain()
  expect(await findingsOf(world)).toEqual([])
  const about = (await entriesOf(world.admin)).filter(({ entry }) => entry['subject'] === 'webhook:pager')
  expect(about.map(({ type }) => type)).toEqual(['finding.opened', 'finding.closed'])
})

test('a webhook that is about some resources gets what is about those, and what may be about any', async () => {
  const receiver = await startReceiverForTest()
  const narrow = (resource: string, id: string): string =>
    `  - { id: ${id}, url: '${receiver.url}/${id}', secrets: [env:PAGER_SECRET], entries: [request.*, signal.*], resources: [${resource}] }`
  const files = filesWith([narrow('orders-db', 'orders'), narrow('tidegate', 'other')])
  const world = await createWorldForTest({ files, env })
  const asked = await ask(world)
  await world
    .as('device-manager')
    .putSignal({ name: 'device', subject: 'user:bob', value: { compliant: true, managed: true } })
  await world.server.drain()
  const of = (id: string) => receiver.received.filter(({ path }) => path === `/${id}`)
  expect(of('orders').map(({ message }) => message.type)).toEqual([
    'request.filed',
    'request.approved',
    'signal.received',
  ])
  expect(of('orders').map(({ message }) => message.data['resource'])).toEqual(['orders-db', 'orders-db', undefined])
  expect(requestsIn(of('orders'))).toEqual([asked, asked, undefined])
  expect(of('other').map(({ message }) => message.type)).toEqual(['signal.received'])
})

test('a webhook that is left out of the configuration gets nothing more, and begins anew when it is back', async () => {
  const { world, receiver } = await newScene()
  const without = world.files.filter(({ path }) => path !== 'webhooks.yaml')
  await world.admin.applyConfig({ files: without })
  await ask(world)
  await world.server.drain()
  expect([await rowOf(world), receiver.received]).toEqual([{}, []])
  await world.admin.applyConfig({ files: world.files })
  const asked = await ask(world)
  await world.server.drain()
  expect(requestsIn(receiver.received)).toEqual([asked])
})

test.each([
  [
    'an entry type that is not there',
    'entries: [request.filed]',
    'entries: [request.filled]',
    'There is no entry type request.filled.',
  ],
  ['a group of none', 'entries: [request.filed]', "entries: ['requests.*']", 'There is no entry type requests.*.'],
  ['a resource that is not there', 'entries: [request.filed]', 'resources: [orders]', 'There is no resource orders.'],
  ['no TLS', 'http://127.0.0.1', 'http://hooks.example.com', 'without TLS messages go to this machine only'],
  ['a user in its URL', 'http://127', 'http://user@127', 'without user, password and fragment'],
  [
    'where a cloud hands out credentials',
    'http://127.0.0.1',
    'https://169.254.169.254',
    'This is an address of the cloud',
  ],
  ['the same, otherwise written', 'http://127.0.0.1', 'https://0xa9fea9fe', 'This is an address of the cloud'],
  ['a secret as it is', 'env:PAGER_SECRET', `'${newSecret()}'`, 'the value itself does not belong here'],
  ['no secret', '[env:PAGER_SECRET]', '[]', 'Without a secret nobody could tell'],
])('refuses %s, and says what to write', async (_, from, to, says) => {
  const { world } = await newScene()
  const files = edited(world.files, 'webhooks.yaml', [from, to])
  const refused = await world.admin.planConfig({ files }).catch((error: { problem: unknown }) => error)
  expect(JSON.stringify(refused)).toContain(says)
})

test('a plan shows where a webhook leads and not the whole of it, and that nobody is called for break-glass', async () => {
  const { world } = await newScene()
  const plan = await world.admin.planConfig({
    files: edited(world.files, 'webhooks.yaml', ['?key=hidden', '?key=other']),
  })
  const [item] = plan.items
  expect([item?.kind, item?.sensitive, item?.details.length]).toEqual(['webhook', true, 1])
  expect(item?.details[0]).toMatch(/^url: http:\/\/127\.0\.0\.1:\d+ \(sha256:[0-9a-f]{16}…\) → http:/)
  expect(JSON.stringify(plan)).not.toMatch(/hidden|other/)
  expect(plan.effects).toEqual([
    expect.stringContaining('nobody is called when glass is broken for orders-db/maintainer'),
  ])
})

test('the command line says how each stands without the whole of where it leads, and tries one', async () => {
  const { world, receiver } = await newScene()
  const as = (person: string) => commandLineFor(world.server.url, { TIDEGATE_TOKEN: world.tokenOf(person) }).run
  receiver.answer({ status: 502 })
  await ask(world)
  await world.server.drain()
  const listed = await as('sam')('webhooks')
  expect([listed.code, listed.stderr]).toEqual([0, ''])
  expect(listed.stdout).toMatch(/^pager +http:\/\/127\.0\.0\.1:\d+ +failing +1 +never +.*: It answered 502\.$/m)
  expect(listed.stdout).not.toContain('hidden')

  const failed = await as('dora')('webhooks', 'test', 'pager')
  expect([failed.code, failed.stdout]).toEqual([1, 'Not taken by pager. It answered 502.\n'])
  receiver.answer({ status: 200 })
  const taken = await as('dora')('webhooks', 'test', 'pager')
  const test = receiver.received.at(-1)!
  expect([taken.code, taken.stdout]).toEqual([0, `Taken by pager: ${test.id}.\n`])
  expect(verify(secret, test)).toMatchObject({ version: 1, type: 'webhook.test' })
  const tested = (await world.as('sam').listEntries({ type: 'webhook.tested' })).items
  expect(tested.map(({ entry }) => entry['message'])).toEqual([test.id, expect.stringMatching(/^msg_/)])

  const refused = await as('sam')('webhooks', 'test', 'pager')
  expect(refused.code).toBe(3)
  expect((await as('dora')('webhooks', 'test', 'none')).code).toBe(6)
})
