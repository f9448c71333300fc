/** Gateways come, prove who they are, and go. */

import { expect, test } from 'vitest'
import { gatewayLimits } from '@tidegate/api'
import { strangerLimits } from '../packages/server/src/http/limits.ts'
import { address, createGatewayWorld, enrolWith, joined, makeKey, signInWith, stranger } from './support/gateways.ts'
import { problemOf, send } from './support/http.ts'
import { entriesOf, entryTypesOf, everythingIn } from './support/story.ts'
import type { World } from './support/tidegate.ts'

const at = (world: World, ms = 0): string => new Date(world.clock.now() + ms).toISOString()

test('a gateway is invited, enrols, signs in and is connected, and each of it is in the log', async () => {
  const world = await createGatewayWorld()
  const { gateway: invited } = await world.admin.createGateway({ id: 'gw-1', resources: ['orders-db'] })
  expect(invited).toMatchObject({ id: 'gw-1', state: 'invited', connected: false, resources: ['orders-db'] })
  const gateway = await joined(world, { resources: ['orders-db'] })
  await gateway.client.syncGateway({ waitMs: 0 })
  const { items } = await world.as('sam').listGateways({})
  expect(items).toMatchObject([{ id: 'gw-1', state: 'enrolled', connected: true, address, resources: ['orders-db'] }])
  const told = (await entryTypesOf(world.admin)).filter((type) => type.startsWith('gateway.'))
  expect(told).toEqual(['gateway.invited', 'gateway.invited', 'gateway.enrolled'])
  world.clock.advance(gatewayLimits.goneAfterSeconds * 1_000)
  expect((await world.as('sam').listGateways({})).items).toMatchObject([{ state: 'enrolled', connected: false }])
})

test('an invitation is good once, for its time, and until there is another', async () => {
  const world = await createGatewayWorld()
  const { url } = world.server
  const enrol = (token: string) => stranger(url).enrolGateway(enrolWith(makeKey(), token))
  const first = (await world.admin.createGateway({ id: 'gw-1' })).enrolmentToken
  const second = (await world.admin.createGateway({ id: 'gw-1' })).enrolmentToken
  const refusals = [await enrol(first).catch((error: unknown) => error)]
  expect(await enrol(second)).toEqual({ gateway: 'gw-1' })
  refusals.push(await enrol(second).catch((error: unknown) => error))
  refusals.push(await enrol('tge_nothing').catch((error: unknown) => error))
  const late = (await world.admin.createGateway({ id: 'gw-2' })).enrolmentToken
  world.clock.advance(gatewayLimits.enrolmentSeconds * 1_000)
  refusals.push(await enrol(late).catch((error: unknown) => error))
  expect(refusals).toEqual(refusals.map(() => expect.objectContaining({ code: 'unauthenticated' })))
  expect(new Set(refusals.map((error) => (error as Error).message)).size).toBe(1)
})

test('an enrolment that was changed on its way, or that nobody signed with its key, is none, and uses up nothing', async () => {
  const world = await createGatewayWorld()
  const { url } = world.server
  const { enrolmentToken: token } = await world.admin.createGateway({ id: 'gw-1' })
  const good = enrolWith(makeKey(), token)
  const bad = {
    'to another place': { ...good, address: { ...address, host: 'elsewhere.example' } },
    'without TLS': { ...good, address: { ...address, tls: 'disable' as const } },
    'with another authority': { ...good, address: { ...address, ca: '-----BEGIN CERTIFICATE-----\nAAAA\n' } },
    'with the key of another': { ...good, publicKey: makeKey().publicKey },
  }
  for (const enrolment of Object.values(bad)) {
    await expect(stranger(url).enrolGateway(enrolment)).rejects.toMatchObject({ code: 'unauthenticated' })
  }
  expect(await stranger(url).enrolGateway(good)).toEqual({ gateway: 'gw-1' })
})

test('a flood of strangers from one address is answered 429 and when to come back, and another address is let through', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  world.clock.advance(1_000)
  const call = (body: object, from: string) =>
    send(world.server.url, { method: 'POST', path: '/v1/gateway/token', body: JSON.stringify(body), from })
  const most = strangerLimits.perAddress.burst * 3
  const answers = await Promise.all(Array.from({ length: most }, () => call({}, '127.0.0.2')))
  const refused = answers.filter(({ status }) => status === 429)
  expect(refused.length).toBeGreaterThan(0)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400, 429]))
  expect(Number(refused.at(-1)!.headers['retry-after'])).toBeGreaterThan(0)
  expect(problemOf(refused.at(-1)!)).toMatchObject({ code: 'too-many', status: 429 })
  const right = signInWith(gateway.key, { gateway: 'gw-1', at: at(world) })
  expect((await call(right, '127.0.0.3')).status).toBe(200)
})

test('strangers behind a proxy are told apart by what it says, and by what nobody else says', async () => {
  const world = await createGatewayWorld({ proxies: ['127.0.0.4/31'] })
  const flood = async (from: string, headers: (i: number) => Record<string, string>) => {
    const path = '/v1/gateway/token'
    const most = strangerLimits.perAddress.burst * 3
    const call = (_: unknown, i: number) =>
      send(world.server.url, { method: 'POST', path, body: '{}', from, headers: headers(i) })
    const answers = await Promise.all(Array.from({ length: most }, call))
    return answers.filter(({ status }) => status === 429).length
  }
  expect(await flood('127.0.0.5', (i) => ({ 'x-forwarded-for': `203.0.113.${i % 100}` }))).toBe(0)
  expect(await flood('127.0.0.5', () => ({ 'x-forwarded-for': '192.0.2.1' }))).toBeGreaterThan(0)
  expect(await flood('127.0.0.5', (i) => ({ 'x-forwarded-for': `198.51.100.${i % 100}, 192.0.2.2` }))).toBeGreaterThan(
    0,
  )
  expect(await flood('127.0.0.2', (i) => ({ 'x-forwarded-for': `203.0.113.${i % 100}` }))).toBeGreaterThan(0)
})

test('of several who enrol with one token at the same moment, one does', async () => {
  const world = await createGatewayWorld()
  const { enrolmentToken: token } = await world.admin.createGateway({ id: 'gw-1' })
  const enrol = () => stranger(world.server.url).enrolGateway(enrolWith(makeKey(), token))
  const outcomes = await Promise.allSettled([enrol(), enrol(), enrol(), enrol()])
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect((await entryTypesOf(world.admin)).filter((type) => type === 'gateway.enrolled')).toHaveLength(1)
})

test('who enrols again with the same key has enrolled, and nothing is changed by it', async () => {
  const world = await createGatewayWorld()
  const { enrolmentToken: token } = await world.admin.createGateway({ id: 'gw-1' })
  const key = makeKey()
  const enrol = () => stranger(world.server.url).enrolGateway(enrolWith(key, token))
  expect(await Promise.all([enrol(), enrol()])).toEqual([{ gateway: 'gw-1' }, { gateway: 'gw-1' }])
  expect(await enrol()).toEqual({ gateway: 'gw-1' })
  expect((await entryTypesOf(world.admin)).filter((type) => type === 'gateway.enrolled')).toHaveLength(1)
})

test('a sign-in that is sent again, is not later, is of another time or key or name is refused, all in the same words', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  const other = await joined(world, { id: 'gw-2' })
  const ask = stranger(world.server.url)
  world.clock.advance(10_000)
  const good = signInWith(gateway.key, { gateway: 'gw-1', at: at(world) })
  expect((await ask.issueGatewayToken(good)).token).toMatch(/^tgw_/)
  const far = (gatewayLimits.signInSkewSeconds + 1) * 1_000
  const bad = {
    again: good,
    earlier: signInWith(gateway.key, { gateway: 'gw-1', at: at(world, -1) }),
    'too early': signInWith(gateway.key, { gateway: 'gw-1', at: at(world, far) }),
    'with the key of another': signInWith(other.key, { gateway: 'gw-1', at: at(world, 1) }),
    'for another': { ...signInWith(gateway.key, { gateway: 'gw-1', at: at(world, 1) }), gateway: 'gw-2' },
    'for another time': { ...signInWith(gateway.key, { gateway: 'gw-1', at: at(world, 1) }), at: at(world, 2) },
    'for another place': {
      ...signInWith(gateway.key, { gateway: 'gw-1', at: at(world, 1) }),
      address: { ...address, host: 'elsewhere.example' },
    },
    'without TLS': {
      ...signInWith(gateway.key, { gateway: 'gw-1', at: at(world, 1) }),
      address: { ...address, tls: 'disable' },
    },
    'of nobody': signInWith(makeKey(), { gateway: 'gw-9', at: at(world, 1) }),
  }
  const answers = await Promise.all(
    Object.values(bad).map((input) =>
      send(world.server.url, { method: 'POST', path: '/v1/gateway/token', body: JSON.stringify(input) }),
    ),
  )
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401))
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
  expect(
    (await ask.issueGatewayToken(signInWith(gateway.key, { gateway: 'gw-1', at: at(world, 1) }))).token,
  ).toBeTruthy()
})

test('of the same sign-in sent many times at once, one is answered', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  world.clock.advance(1_000)
  const once = signInWith(gateway.key, { gateway: 'gw-1', at: at(world) })
  const outcomes = await Promise.allSettled(
    Array.from({ length: 6 }, () => stranger(world.server.url).issueGatewayToken(once)),
  )
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

test('a token is over after its minutes, and a gateway that was put out has none any more', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  await gateway.client.syncGateway({ waitMs: 0 })
  world.clock.advance(gatewayLimits.tokenSeconds * 1_000)
  await expect(gateway.client.syncGateway({ waitMs: 0 })).rejects.toMatchObject({ code: 'unauthenticated' })
  const again = await gateway.at()
  await again.syncGateway({ waitMs: 0 })
  expect(await world.admin.removeGateway({ id: 'gw-1' })).toMatchObject({ state: 'removed', connected: false })
  await expect(again.syncGateway({ waitMs: 0 })).rejects.toMatchObject({ code: 'unauthenticated' })
  await expect(gateway.at()).rejects.toMatchObject({ code: 'unauthenticated' })
  await world.admin.removeGateway({ id: 'gw-1' })
  await expect(world.admin.removeGateway({ id: 'gw-0' })).rejects.toMatchObject({ code: 'not-found' })
  expect((await entryTypesOf(world.admin)).filter((type) => type === 'gateway.removed')).toHaveLength(1)
})

test('inviting the same name again puts out whoever has it, also while it waits for news', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  const { cursor } = await gateway.client.syncGateway({ waitMs: 0 })
  const waiting = gateway.client.syncGateway({ cursor, waitMs: 20_000 }).catch((error: unknown) => error)
  await world.admin.createGateway({ id: 'gw-1' })
  expect(await waiting).toMatchObject({ code: 'unauthenticated' })
  await expect(gateway.at()).rejects.toMatchObject({ code: 'unauthenticated' })
})

test('an invitation for a resource that is not there is refused by name', async () => {
  const world = await createGatewayWorld()
  await expect(world.admin.createGateway({ id: 'gw-1', resources: ['orders-db', 'order-db'] })).rejects.toMatchObject({
    code: 'invalid-input',
    details: { problems: [{ field: 'resources[1]', message: 'There is no resource order-db.' }] },
  })
})

test('a server invites a gateway of its own process, by nobody', async () => {
  const world = await createGatewayWorld()
  const { enrolmentToken } = await world.server.inviteGateway('local')
  const enrolled = stranger(world.server.url).enrolGateway(enrolWith(makeKey(), enrolmentToken))
  expect(await enrolled).toEqual({ gateway: 'local' })
  const entries = (await entriesOf(world.admin)).filter(({ type }) => type.startsWith('gateway.'))
  expect(entries.map(({ type, disclosed }) => [type, disclosed])).toEqual([
    ['gateway.invited', {}],
    ['gateway.enrolled', {}],
  ])
})

test('the store has neither tokens of gateways nor of invitations', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  const { enrolmentToken } = await world.admin.createGateway({ id: 'gw-2' })
  const rows = await everythingIn(world.store)
  for (const secret of [gateway.token, enrolmentToken]) {
    expect(rows).not.toContain(secret)
    expect(rows).not.toContain(Buffer.from(secret).toString('hex'))
  }
})
