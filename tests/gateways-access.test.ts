/** Access that leads through a gateway: what its holder gets, what the gateway gets, and what is kept meanwhile. */

import { expect, test } from 'vitest'
import { gatewayLimits } from '@tidegate/api'
import { logIn, loginsOn, opened, outcomeOf, permitted } from './support/access.ts'
import { applyEdited, edited } from './support/edit.ts'
import { address, createGatewayWorld, joined, opensWith, throughGateways } from './support/gateways.ts'
import { entriesOf, entryTypesOf, everythingIn, inStore, stateOf } from './support/story.ts'
import { createWorldForTest, defaultFiles } from './support/tidegate.ts'
import type { World } from './support/tidegate.ts'

const kept = (world: World) =>
  inStore(world.store, 'select state, login_sealed, login_verifier, login_databases from access_grant')

test('the credential leads to the gateway, the gateway gets to the target, and the store has neither secret', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  await gateway.client.syncGateway({ waitMs: 0 })
  const { grant, credential } = await opened(world.as('alice'), { duration: '30m' })
  expect(credential).toMatchObject({ kind: 'postgres-login', user: grant.id, ...address, expiresAt: grant.expiresAt })
  expect(credential.databases).toEqual([world.target.database])
  const { grants } = await gateway.client.syncGateway({ waitMs: 0 })
  expect(grants).toEqual([
    {
      grant: grant.id,
      resource: 'orders-db',
      role: 'orders-db/readonly',
      principal: 'user:alice',
      databases: [world.target.database],
      verifier: expect.stringMatching(/^SCRAM-SHA-256\$4096:/),
      expiresAt: grant.expiresAt,
      warnBeforeSeconds: 120,
      rules: expect.any(String),
    },
  ])
  expect(opensWith(grants[0]!.verifier, credential.secret)).toBe(true)
  expect(opensWith(grants[0]!.verifier, `${credential.secret}x`)).toBe(false)

  const login = await gateway.client.releaseLogin({ id: grant.id })
  expect(login).toMatchObject({ host: world.target.host, port: world.target.port, tls: 'disable', guards: [] })
  expect(login.rules).toBe(grants[0]!.rules)
  expect(login.recording).toEqual({ text: 'keep', parameters: 'keep', rows: 'none', whenItFails: 'end' })
  const session = await logIn({ ...credential, ...login, databases: credential.databases })
  expect((await session.query('select count(*)::int > 0 as some from shop.orders')).rows).toEqual([{ some: true }])

  const rows = await everythingIn(world.store)
  for (const secret of [login.secret, credential.secret]) {
    expect(rows).not.toContain(secret)
    expect(rows).not.toContain(Buffer.from(secret).toString('hex'))
  }
  expect(login.secret).not.toBe(credential.secret)
})

test('with its grant the login goes: sealed from the store in the same transaction, and from the target', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  const { grant } = await opened(world.as('alice'))
  expect(await kept(world)).toMatchObject([{ state: 'active', login_databases: [world.target.database] }])
  await world.as('alice').endGrant({ id: grant.id })
  expect(await kept(world)).toEqual([
    { state: 'ending', login_sealed: null, login_verifier: null, login_databases: null },
  ])
  await expect(gateway.client.releaseLogin({ id: grant.id })).rejects.toMatchObject({ code: 'grant-ended' })
  await world.server.drain()
  expect(await loginsOn(world.target)).toEqual([])
})

test('from the instant of its end on a grant releases nothing, whether or not anyone has seen to it', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  const { grant } = await opened(world.as('alice'), { duration: '5m' })
  world.clock.set(Date.parse(grant.expiresAt as string) - 1)
  expect((await gateway.client.releaseLogin({ id: grant.id })).secret).toBeTruthy()
  world.clock.advance(1)
  await expect(gateway.client.releaseLogin({ id: grant.id })).rejects.toMatchObject({ code: 'grant-ended' })
  await world.server.drain()
  expect(await kept(world)).toMatchObject([{ state: 'ended', login_sealed: null }])
})

test('without a connected gateway nothing is opened, no clock starts, and the grant is there for later', async () => {
  const world = await createGatewayWorld()
  const id = await permitted(world.as('alice'))
  const before = await stateOf(world.store)
  await expect(world.as('alice').activateGrant({ id })).rejects.toMatchObject({
    code: 'no-gateway',
    message: 'Access to orders-db leads through a gateway, and none is connected.',
  })
  const wish = { role: 'orders-db/readonly', duration: '30m', reason: 'Looking into order 7' }
  await expect(world.as('alice').openAccess(wish)).rejects.toMatchObject({ code: 'no-gateway' })
  expect(await stateOf(world.store)).toEqual(before)
  expect(await loginsOn(world.target)).toEqual([])

  await joined(world)
  expect((await world.as('alice').activateGrant({ id })).grant.state).toBe('active')
  expect((await world.as('alice').openAccess(wish)).credential).toMatchObject(address)
})

test('a gateway for other resources, one that fell silent and one that was put out lead nowhere', async () => {
  const world = await createGatewayWorld({
    files: (parts) => [...defaultFiles(parts), { path: 'other.yaml', text: otherYaml(parts.target.database) }],
  })
  const id = await permitted(world.as('alice'))
  const activate = () => outcomeOf(world.as('alice').activateGrant({ id }))
  await joined(world, { id: 'elsewhere', resources: ['other-db'] })
  expect(await activate()).toBe('no-gateway')
  const gateway = await joined(world, { resources: ['orders-db'] })
  world.clock.advance(gatewayLimits.goneAfterSeconds * 1_000)
  expect(await activate()).toBe('no-gateway')
  await gateway.client.syncGateway({ waitMs: 0 })
  await world.admin.removeGateway({ id: gateway.id })
  expect(await activate()).toBe('no-gateway')
})

const otherYaml = (database: string): string => `
resources:
  - id: other-db
    kind: postgres
    gateway: required
    connection: { host: 127.0.0.1, port: 1, databases: [${database}], user: nobody, password: env:ORDERS_DB_ADMIN_PASSWORD, tls: disable, owner: nobody, rolePrefix: other_ }
    roles: [{ name: readonly, risk: low, privileges: [{ schema: shop, tables: '*', privileges: [select] }] }]
`

test('activating again makes another password and another login, and the end stays', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  const first = await opened(world.as('alice'))
  const [before] = (await gateway.client.syncGateway({ waitMs: 0 })).grants
  const login = await gateway.client.releaseLogin({ id: first.grant.id })
  const second = await world.as('alice').activateGrant({ id: first.grant.id })
  // Who does not ask about it may be answered before the server has heard of the other password.
  const [after] = (await gateway.client.syncGateway({ waitMs: 0, about: [first.grant.id] })).grants
  expect(second.credential.expiresAt).toBe(first.credential.expiresAt)
  expect(opensWith(after!.verifier, second.credential.secret)).toBe(true)
  expect(opensWith(after!.verifier, first.credential.secret)).toBe(false)
  expect(after!.verifier).not.toBe(before!.verifier)
  expect(after!.verifier.split('$')[1]).toBe(before!.verifier.split('$')[1])
  expect((await gateway.client.releaseLogin({ id: first.grant.id })).secret).not.toBe(login.secret)
})

test('what was opened through gateways stays behind them until it is over, whatever configuration says then', async () => {
  const world = await createGatewayWorld()
  await joined(world)
  const { grant } = await opened(world.as('alice'))
  await world.admin.applyConfig({
    files: world.files.map((file) => ({ ...file, text: file.text.replace('    gateway: required\n', '') })),
  })
  const again = await world.as('alice').activateGrant({ id: grant.id })
  expect(again.credential).toMatchObject(address)
  expect((await opened(world.as('alice'))).credential.host).toBe(world.target.host)
})

test('a login is released only to a gateway that leads to its resource, and only where gateways stand before it', async () => {
  const world = await createWorldForTest()
  const direct = await opened(world.as('alice'))
  const gateway = await joined(world)
  expect((await gateway.client.syncGateway({ waitMs: 0 })).grants).toEqual([])
  await expect(gateway.client.releaseLogin({ id: direct.grant.id })).rejects.toMatchObject({ code: 'not-found' })
  await expect(gateway.client.releaseLogin({ id: 'grt_nothing' })).rejects.toMatchObject({ code: 'not-found' })
  const waiting = await permitted(world.as('alice'))
  await expect(gateway.client.releaseLogin({ id: waiting })).rejects.toMatchObject({ code: 'not-found' })
})

test('with the login a gateway is told what the role lets through and hides, and how the resource is recorded, as it is now', async () => {
  const world = await createGatewayWorld({
    sessionRules: { guard: () => [], approvers: () => [], mask: () => [] },
    files: (parts) =>
      edited(defaultFiles(parts), 'orders-db.yaml', [
        'risk: low',
        'risk: low\n        guard: { readOnly: true }\n        mask: { columns: [email] }',
      ]),
  })
  const gateway = await joined(world)
  const { grant } = await opened(world.as('alice'))
  const before = await gateway.client.releaseLogin({ id: grant.id })
  expect(before).toMatchObject({ guards: [{ readOnly: true }], masks: [{ columns: ['email'] }] })
  await applyEdited(world, 'orders-db.yaml', [
    'gateway: required',
    'gateway: required\n    recording: { rows: commit }',
  ])
  const after = await gateway.client.releaseLogin({ id: grant.id })
  expect(after.recording).toEqual({ text: 'keep', parameters: 'keep', rows: 'commit', whenItFails: 'end' })
})

test('each release is in the log, with who holds the grant as a commitment', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  const { grant } = await opened(world.as('alice'))
  await gateway.client.releaseLogin({ id: grant.id })
  await gateway.client.releaseLogin({ id: grant.id })
  const entries = (await entriesOf(world.admin, { grant: grant.id })).filter(
    ({ type }) => type === 'grant.login-released',
  )
  expect(entries).toHaveLength(2)
  expect(entries[0]).toMatchObject({
    entry: { gateway: 'gw-1', role: 'orders-db/readonly', attempt: 1 },
    disclosed: { '/principal': 'user:alice' },
  })
  expect(JSON.stringify(entries[0]?.entry)).not.toContain('alice')
})

test('a sealed login that is put in another grant’s place opens nothing', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  const mine = await opened(world.as('alice'))
  const other = await opened(world.as('bob'))
  await inStore(
    world.store,
    'update access_grant set login_sealed = (select login_sealed from access_grant where id = $1) where id = $2',
    [other.grant.id, mine.grant.id],
  )
  await expect(gateway.client.releaseLogin({ id: mine.grant.id })).rejects.toMatchObject({ code: 'internal' })
  expect(await entryTypesOf(world.admin, { grant: mine.grant.id })).not.toContain('grant.login-released')
})

test('the store refuses to keep a login with a grant that is not active', async () => {
  const world = await createGatewayWorld()
  await joined(world)
  const { grant } = await opened(world.as('alice'))
  await world.as('alice').endGrant({ id: grant.id })
  const put = inStore(
    world.store,
    `update access_grant set login_sealed = '\\x00', login_verifier = 'x', login_databases = '{}' where id = $1`,
    [grant.id],
  )
  await expect(put).rejects.toMatchObject({ code: '23514' })
})

test('of several gateways a grant keeps to one as long as that is there, and grants spread', async () => {
  const world = await createWorldForTest({ files: (parts) => throughGateways(defaultFiles(parts)) })
  for (const id of ['gw-1', 'gw-2', 'gw-3']) await joined(world, { id })
  await inStore(world.store, `update gateway set address = jsonb_set(address, '{host}', to_jsonb(id))`)
  const hosts: string[] = []
  for (let count = 0; count < 12; count++) {
    const { grant, credential } = await opened(world.as('alice'), { duration: '10m' })
    hosts.push(credential.host)
    if (count < 2)
      expect((await world.as('alice').activateGrant({ id: grant.id })).credential.host).toBe(credential.host)
  }
  expect(new Set(hosts).size).toBeGreaterThan(1)
})
