/** `tidegate server` with a gateway in its process: real ones, on a real store, before a real target. */

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Client } from '@tidegate/api'
import { createClient } from '@tidegate/api'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createTestDatabase } from '../../../../tests/support/databases.ts'
import { createTarget } from '../../../../tests/support/target.ts'
import { makeToken, peopleYaml, policies, resourceYaml } from '../../../../tests/support/tidegate.ts'
import type { Harness } from '../testing/context.ts'
import { harness } from '../testing/context.ts'

const options = ['--listen', '127.0.0.1:0', '--gateway', '127.0.0.1:0']

/** Where a server can be started, several times over. */
async function place(env: Readonly<Record<string, string>> = {}) {
  const store = await createTestDatabase('store')
  onTestFinished(() => store.drop())
  const settings = {
    DATABASE_URL: store.url,
    TIDEGATE_KEY: randomBytes(32).toString('base64'),
    TIDEGATE_LOG_LEVEL: 'silent',
    NO_COLOR: '1',
    ...env,
  }
  const first = await harness({ env: settings })
  const data = join(first.home, 'data')
  return { data, settings: { TIDEGATE_DATA: data, ...settings } }
}

type Running = Harness & {
  readonly url: string
  readonly gatewayPort: number
  readonly stop: () => Promise<number>
}

async function start(env: Readonly<Record<string, string>>): Promise<Running> {
  const started = await harness({ env })
  const exit = started.run('server', ...options)
  let hasEnded = false
  void exit.finally(() => (hasEnded = true))
  while (!/Gateway local|without its gateway/.test(started.stderr())) {
    if (hasEnded) throw new Error(`it has ended: ${started.stderr()}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
  let stopped: Promise<number> | undefined
  const stop = (): Promise<number> => {
    started.signals.emit('SIGTERM')
    return (stopped ??= exit)
  }
  onTestFinished(async () => void (await stop()))
  return {
    ...started,
    stop,
    url: /answers at (\S+)/.exec(started.stderr())?.[1] ?? '',
    gatewayPort: Number(/Gateway local listens at 127\.0\.0\.1:(\d+)/.exec(started.stderr())?.[1]),
  }
}

/** Someone who may read `orders-db`, which is reached through gateways alone. */
async function withOrders(env: Readonly<Record<string, string>>) {
  const target = await createTarget()
  onTestFinished(() => target.drop())
  const running = await start({ ...env, ORDERS_DB_ADMIN_PASSWORD: target.admin.password })
  const tokens = new Map(['alice', 'dora', 'sam'].map((id) => [id, makeToken()]))
  const hashOf = (id: string): string => (tokens.get(id) ?? makeToken()).hash
  const resource = resourceYaml(target)
    .replace('    kind: postgres\n', '    kind: postgres\n    gateway: required\n')
    .replace('risk: low\n', 'risk: low\n        guard: read-only, deny-functions=pg_sleep*\n')
  const files = [
    { path: 'people.yaml', text: peopleYaml({ target, hashOf }) },
    { path: 'orders-db.yaml', text: resource },
    { path: 'access.cedar', text: policies },
  ]
  const firstToken = /tdg_[\w-]{43}/.exec(running.stdout())?.[0] ?? ''
  await createClient({ url: running.url, token: firstToken }).applyConfig({ files })
  const tokenOf = (id: string): string => tokens.get(id)?.token ?? ''
  const as = (id: string): Client => createClient({ url: running.url, token: tokenOf(id) })
  /** The command line, as this person. */
  const tidegate = async (id: string, ...argv: readonly string[]) => {
    const one = await harness({ env: { TIDEGATE_URL: running.url, TIDEGATE_TOKEN: tokenOf(id), NO_COLOR: '1' } })
    const code = await one.run(...argv)
    return { code, stdout: one.stdout(), stderr: one.stderr() }
  }
  return { running, target, as, tidegate }
}

async function connect(client: Client) {
  const { grant, credential } = await client.openAccess({
    role: 'orders-db/readonly',
    duration: '30m',
    reason: 'Order 4711 looks wrong',
  })
  if (grant === undefined || credential === undefined) throw new Error('no access was opened')
  const { host, port, user, secret: password, databases } = credential
  const session = new pg.Client({ host, port, user, password, database: databases[0], ssl: false })
  // The reason, and then that the connection is gone.
  const over = new Promise<Error>((resolve) => session.on('error', resolve))
  await session.connect()
  onTestFinished(() => session.end().catch(() => undefined))
  return { grant, credential, session, over }
}

describe('a server with a gateway', () => {
  it(
    'leads sessions through it, guarded, listed, killed with the reason, and recorded',
    { timeout: 60_000 },
    async () => {
      const { data, settings } = await place()
      const { running, as, tidegate } = await withOrders(settings)
      const { grant, credential, session, over } = await connect(as('alice'))
      expect(credential).toMatchObject({ host: '127.0.0.1', port: running.gatewayPort, user: grant.id, tls: 'disable' })
      const { rows } = await session.query('select count(*)::int as orders from shop.orders')
      expect(rows[0].orders).toBeGreaterThan(0)
      await expect(session.query('delete from shop.orders')).rejects.toMatchObject({ code: '42501' })

      const listed = await tidegate('sam', 'sessions', '-o', 'json')
      const { items } = JSON.parse(listed.stdout) as {
        items: readonly { readonly id: string; readonly grant: string }[]
      }
      expect(items).toMatchObject([{ grant: grant.id, principal: 'user:alice', gateway: 'local' }])
      const id = items[0]?.id ?? ''
      expect((await tidegate('dora', 'sessions', 'kill', id, '--reason', 'It holds a lock')).code).toBe(0)
      expect((await over).message).toContain('It holds a lock')

      const look = () => as('sam').getSession({ id })
      while ((await look()).endedAt === undefined) await new Promise((resolve) => setImmediate(resolve))
      const { head } = await look()
      expect(head?.events).toBeGreaterThan(3)
      const folder = join(data, 'gateway')
      const verified = await tidegate('sam', 'recordings', 'verify', folder, '--anchored', '-o', 'json')
      expect(verified.code).toBe(0)
      expect(JSON.parse(verified.stdout)).toMatchObject({
        session: id,
        ok: true,
        state: 'ended',
        anchoredEvents: head?.events,
      })
      expect(await running.stop()).toBe(0)
      const exported = await tidegate('sam', 'recordings', 'export', folder)
      expect(exported.stdout).toContain('delete from shop.orders')
      expect(exported.stdout).not.toContain(credential.secret)
    },
  )

  it('comes back as the same gateway, with the identity in the data folder', async () => {
    const { settings } = await place()
    const first = await start(settings)
    const token = /tdg_[\w-]{43}/.exec(first.stdout())?.[0] ?? ''
    const gateways = async ({ url }: Running) => (await createClient({ url, token }).listGateways({})).items
    const [before] = await gateways(first)
    expect(before).toMatchObject({ id: 'local', connected: true })
    expect(await first.stop()).toBe(0)
    const after = await gateways(await start(settings))
    expect(after).toMatchObject([{ id: 'local', connected: true, enrolledAt: before?.enrolledAt }])
  })

  it('goes on without its gateway when that is removed, and starts without it from then on', async () => {
    const { settings } = await place()
    const running = await start(settings)
    const token = /tdg_[\w-]{43}/.exec(running.stdout())?.[0] ?? ''
    const client = createClient({ url: running.url, token })
    await client.removeGateway({ id: 'local' })
    while (!running.stderr().includes('the server goes on')) await new Promise((resolve) => setImmediate(resolve))
    expect(await client.whoami({})).toMatchObject({ administrator: true })
    expect(await running.stop()).toBe(0)
    const again = await start(settings)
    expect(again.stderr()).toMatch(/The server runs without its gateway\.\n {2}error: .* identity of gateway local/)
    expect(await createClient({ url: again.url, token }).whoami({})).toMatchObject({ administrator: true })
    expect(await again.stop()).toBe(0)
  })

  it.each([
    ['no data folder, and a store of its own choosing', { TIDEGATE_DATA: '' }, 'there is no data folder'],
    ['TLS of the gateway by halves', { TIDEGATE_GATEWAY_TLS_KEY: 'key.pem' }, 'TIDEGATE_GATEWAY_TLS_CERT: missing'],
    ['TLS and no name', { TIDEGATE_TLS_CERT: 'c', TIDEGATE_TLS_KEY: 'k' }, 'the server answers with TLS'],
  ])('is refused with %s, before anything starts', async (_what, env, message) => {
    const { settings } = await place()
    const { run, stderr, stdout } = await harness({ env: { ...settings, ...env } })
    const exit = await run('server', ...options)
    expect(stderr()).toContain(message)
    expect(exit).toBe(2)
    expect(stdout()).toBe('')
  })
})
