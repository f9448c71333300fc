/**
 * Several servers on one store and several gateways, all real: what one of them does reaches the others, whoever is lost.
 * Where nothing runs in the background, a server hears no notifications, and nobody but a gateway ends a session.
 */

import { EventEmitter, once } from 'node:events'
import { type Clock, systemClock } from '@tidegate/gateway'
import { instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import { sessionRules } from '../packages/cli/src/gateway/session-rules.ts'
import { opened, outcomeOf } from './support/access.ts'
import { connectedWorld, joinedGateway, logIn, started } from './support/connected.ts'
import { applyEdited } from './support/edit.ts'
import { startProxyForTest } from './support/proxy.ts'

test('a revoke through either server ends the sessions at the gateways of both, although nobody tells the other server', async () => {
  const { world, gateway: first } = await connectedWorld({}, { background: false })
  const other = await world.startAnother()
  const { gateway: second } = await joinedGateway(world, { id: 'gw-2', url: other.url })
  for (const server of [world.server, other]) {
    const { grant, credential } = await opened(world.as('alice'))
    const sessions = [await logIn(credential, first.port), await logIn(credential, second.port)]
    await world.at(server, 'dora').revokeGrant({ id: grant.id, reason: 'enough' })
    for (const { ended } of sessions) expect(await ended).toBe(`access was revoked by user:dora (grant ${grant.id})`)
    for (const { port } of [first, second]) {
      await expect(logIn(credential, port)).rejects.toMatchObject({ code: '28P01' })
    }
  }
})

test('whoever opens a grant again is let in at once, by a gateway whose server has not heard of it', async () => {
  const { world } = await connectedWorld({}, { background: false })
  const other = await world.startAnother()
  const { gateway } = await joinedGateway(world, { id: 'gw-2', url: other.url })
  const { grant, credential } = await opened(world.as('alice'))
  await logIn(credential, gateway.port)
  for (let again = 0; again < 3; again++) {
    const next = await world.as('alice').activateGrant({ id: grant.id })
    await logIn(next.credential, gateway.port)
  }
  await expect(logIn(credential, gateway.port)).rejects.toMatchObject({ code: '28P01' })
})

test('a server that is lost with an answer on its way takes nothing with it: another one tells', async () => {
  let place = ''
  const questions = new EventEmitter()
  const through: typeof fetch = (input, init) => {
    const { pathname } = input as URL
    questions.emit(pathname)
    return fetch(new URL(pathname, place), init)
  }
  const { world, options } = await connectedWorld({}, { background: false })
  const proxy = await startProxyForTest({ host: '127.0.0.1', port: Number(new URL(world.server.url).port) })
  const other = await world.startAnother()
  place = `http://${proxy.host}:${proxy.port}`
  const { gateway } = await joinedGateway(world, { id: 'gw-2', url: options.url, fetch: through })
  const { grant, credential } = await opened(world.as('alice'))
  const { ended } = await logIn(credential, gateway.port)
  const answered = proxy.holdAnswer('/v1/gateway/sync')
  // What is answered now goes on for a moment; the next question is the one whose answer is lost.
  await Promise.race([answered, once(questions, '/v1/gateway/sync')])
  await opened(world.as('bob'))
  await world.as('dora').revokeGrant({ id: grant.id, reason: 'enough' })
  await answered
  place = other.url
  proxy.cut()
  expect(await ended).toContain('access has ended')
  await expect(logIn(credential, gateway.port)).rejects.toMatchObject({ code: '28P01' })
})

test('a gateway that was cut off from its servers ends, once it reaches one, what was revoked meanwhile', async () => {
  const { world } = await connectedWorld({}, { background: false })
  const proxy = await startProxyForTest({ host: '127.0.0.1', port: Number(new URL(world.server.url).port) })
  const { gateway } = await joinedGateway(world, { id: 'gw-2', url: `http://${proxy.host}:${proxy.port}` })
  const { grant, credential } = await opened(world.as('alice'))
  const { client, ended } = await logIn(credential, gateway.port)
  proxy.cut()
  await world.as('dora').revokeGrant({ id: grant.id, reason: 'enough' })
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  proxy.mend()
  expect(await ended).toContain('access was revoked by user:dora')
})

const shifted = (ms: number): Clock => ({
  now: () => instant(systemClock.now() + ms),
  elapsedMs: systemClock.elapsedMs,
  at: (time, callback) => systemClock.at(instant(time - ms), callback),
})

test('a gateway whose clock is hours off ends a session when its time is over, and not before', async () => {
  const hours = 2 * 3_600_000
  const { world, gateway: behind } = await connectedWorld({ clock: shifted(-hours) }, { background: false })
  const { gateway: ahead } = await joinedGateway(world, { id: 'gw-2', url: world.server.url, clock: shifted(hours) })
  const { grant, credential } = await opened(world.as('alice'), { duration: '8s' })
  const sessions = [await logIn(credential, behind.port), await logIn(credential, ahead.port)]
  for (const { ended } of sessions) {
    expect(await ended).toContain('its time is over')
    // A round trip early at most, by what it knows of the server's clock.
    expect(Date.now()).toBeGreaterThan(Date.parse(grant.expiresAt!) - 2_000)
  }
})

test('a gateway that stops has nobody led to it from then on, and one that starts again has', async () => {
  const { world, gateway: first, options } = await connectedWorld()
  const { gateway: second } = await joinedGateway(world, { id: 'gw-2', url: world.server.url })
  await first.stop()
  const connected = async () => (await world.admin.listGateways({})).items.map((one) => one.connected)
  expect(await connected()).toEqual([false, true])
  for (let count = 0; count < 6; count++) {
    expect((await opened(world.as('alice'))).credential.port).toBe(second.port)
  }
  await second.stop()
  expect(await outcomeOf(opened(world.as('alice')))).toBe('no-gateway')
  const { enrolmentToken: _, ...rest } = options
  const again = await started(rest)
  expect(await connected()).toEqual([true, false])
  expect((await opened(world.as('alice'))).credential.port).toBe(again.port)
})

test('other rules of a role end its open sessions and hold for the next, and those of another role do not', async () => {
  const { world } = await connectedWorld({}, { sessionRules: await sessionRules() })
  const { credential } = await opened(world.as('alice'))
  const before = await logIn(credential)
  await before.client.query('select pg_sleep(0)')
  await applyEdited(world, 'orders-db.yaml', ['risk: elevated', 'risk: elevated\n        guard: require-where'])
  await before.client.query('select pg_sleep(0)')
  await applyEdited(world, 'orders-db.yaml', ['risk: low', 'risk: low\n        guard: deny-functions=pg_sleep*'])
  expect(await before.ended).toContain('the rules of this access have changed; connect again')
  const after = await logIn(credential)
  await expect(after.client.query('select pg_sleep(0)')).rejects.toMatchObject({ code: '42501' })
})
