/** The gateway as a command: the real one, before a stand-in for the server. */

import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { ApiError } from '@tidegate/api'
import { describe, expect, it } from 'vitest'
import type { Handlers } from '../testing/api-server.ts'
import type { Harness, Setup } from '../testing/context.ts'
import { harnessWithServer } from '../testing/context.ts'

const enrolmentToken = `tge_${'e'.repeat(43)}`

/** Keeps a sync waiting until the gateway leaves, as a server does that has nothing to tell. */
const controlPlane = (): Handlers => {
  let syncs = 0
  const nothing = { cursor: '1', grants: [], ended: [], kill: [], statements: [], now: new Date().toISOString() }
  return {
    enrolGateway: () => ({ gateway: 'eu-1' }),
    issueGatewayToken: () => ({ token: 'tdg_gateway', expiresAt: new Date(Date.now() + 600_000).toISOString() }),
    syncGateway: async ({ waitMs }) => {
      if (syncs++ > 0 && waitMs > 0) await new Promise(() => undefined)
      return { ...nothing, whole: syncs === 1, now: new Date().toISOString() }
    },
    reportSessions: () => ({ refused: [] }),
    signOffGateway: () => ({}),
  }
}

const gatewayHarness = (setup: Setup = {}, handlers: Handlers = {}) =>
  harnessWithServer({ ...controlPlane(), ...handlers }, { ...setup, env: { ...setup.env, NO_COLOR: '1' } })

type Running = { readonly exit: Promise<number>; readonly port: number }

/** Runs it until it says where it listens. */
async function start({ run, stderr, home }: Harness, ...argv: readonly string[]): Promise<Running> {
  const before = stderr().length
  const exit = run('gateway', '--data', join(home, 'gw'), '--listen', '127.0.0.1:0', ...argv)
  const place = (): string | undefined => /listens at 127\.0\.0\.1:(\d+)/.exec(stderr().slice(before))?.[1]
  let ended = false
  void exit.finally(() => (ended = true))
  while (place() === undefined) {
    if (ended) throw new Error(`it has ended: ${stderr()}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { exit, port: Number(place()) }
}

async function stop({ signals }: Harness, { exit }: Running): Promise<number> {
  signals.emit('SIGTERM')
  return exit
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

describe('a gateway', () => {
  it.each([
    ['stdin', { stdin: `${enrolmentToken}\n` }],
    ['the environment', { env: { TIDEGATE_ENROLMENT_TOKEN: enrolmentToken } }],
    ['whoever sits at the terminal', { stdin: `${enrolmentToken}\r`, tty: true }],
  ])(
    'enrols with a token from %s, which is shown nowhere, and listens until it is told to stop',
    async (_from, setup) => {
      const harness = await gatewayHarness(setup)
      const running = await start(harness)
      expect(harness.server.callsOf('enrolGateway')[0]?.input).toMatchObject({
        token: enrolmentToken,
        address: { host: '127.0.0.1', port: running.port, tls: 'disable' },
      })
      expect(harness.stderr()).toContain(`Gateway eu-1 listens at 127.0.0.1:${running.port}, for ${harness.server.url}`)
      expect(await accepts(running.port)).toBe(true)
      expect(await stop(harness, running)).toBe(0)
      expect(await accepts(running.port)).toBe(false)
      expect(harness.stdout() + harness.stderr()).not.toContain(enrolmentToken)
    },
  )

  it('needs no token the next time: it has its identity, for its user alone', async () => {
    const harness = await gatewayHarness({ env: { TIDEGATE_ENROLMENT_TOKEN: enrolmentToken } })
    await stop(harness, await start(harness))
    expect((await stat(join(harness.home, 'gw'))).mode & 0o777).toBe(0o700)
    Object.assign(harness.context.env, { TIDEGATE_ENROLMENT_TOKEN: '' })
    // Nobody types anything: it would wait here if it asked.
    Object.assign(harness.stdin, { isTTY: true })
    expect(await stop(harness, await start(harness))).toBe(0)
    expect(harness.server.callsOf('enrolGateway')).toHaveLength(1)
  })

  it('logs lines of JSON on stdout, such as that it has no use for another token', async () => {
    const harness = await gatewayHarness({ env: { TIDEGATE_ENROLMENT_TOKEN: enrolmentToken } })
    await stop(harness, await start(harness))
    await stop(harness, await start(harness))
    const lines = harness
      .stdout()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    expect(lines).toContainEqual(
      expect.objectContaining({ time: expect.any(String), event: 'enrolment-token-ignored', gateway: 'eu-1' }),
    )
    expect(harness.stdout()).not.toContain(enrolmentToken)
  })

  it('that was removed says so and fails', async () => {
    let isRemoved = false
    let removed = (): void => undefined
    const refuseIfRemoved = (): void => {
      if (isRemoved) throw new ApiError('unauthenticated')
    }
    const plane = controlPlane()
    const harness = await gatewayHarness(
      { stdin: enrolmentToken },
      {
        issueGatewayToken: async (...asked) => {
          refuseIfRemoved()
          return plane.issueGatewayToken!(...asked)
        },
        syncGateway: async ({ cursor }) => {
          if (cursor !== undefined) await new Promise<void>((resolve) => (removed = resolve))
          refuseIfRemoved()
          return {
            cursor: '1',
            whole: true,
            grants: [],
            ended: [],
            kill: [],
            statements: [],
            now: new Date().toISOString(),
          }
        },
      },
    )
    const running = await start(harness)
    while (harness.server.callsOf('syncGateway').length < 2) await new Promise((resolve) => setImmediate(resolve))
    isRemoved = true
    removed()
    expect(await running.exit).toBe(1)
    expect(harness.stderr()).toMatch(/^error: .*does not take the identity/m)
    expect(await accepts(running.port)).toBe(false)
  })

  it('that has no token for its first start is refused, and leaves nothing listening', async () => {
    const { run, home, server, stderr } = await gatewayHarness()
    expect(await run('gateway', '--data', join(home, 'gw'), '--listen', '127.0.0.1:0')).toBe(2)
    expect(server.callsOf('enrolGateway')).toEqual([])
    expect(stderr()).toMatch(/tidegate gateways new/)
  })

  it('whose token nobody takes exits as whoever is not known, and without a server as one that cannot be reached', async () => {
    const refusing = await gatewayHarness(
      { env: { TIDEGATE_ENROLMENT_TOKEN: enrolmentToken } },
      {
        enrolGateway: () => {
          throw new ApiError('unauthenticated')
        },
      },
    )
    const argv = ['gateway', '--data', join(refusing.home, 'gw'), '--listen', '127.0.0.1:0']
    expect(await refusing.run(...argv)).toBe(5)
    expect(await refusing.run(...argv, '--url', 'http://127.0.0.1:1')).toBe(7)
    expect(refusing.stderr()).toContain('No control plane answers at http://127.0.0.1:1')
  })

  it('is refused a folder that another one runs in', async () => {
    const harness = await gatewayHarness({ env: { TIDEGATE_ENROLMENT_TOKEN: enrolmentToken } })
    const running = await start(harness)
    expect(await harness.run('gateway', '--data', join(harness.home, 'gw'), '--listen', '127.0.0.1:0')).toBe(1)
    expect(harness.stderr()).toContain('in use by another gateway')
    expect(await stop(harness, running)).toBe(0)
  })

  it.each([
    ['without a data folder', []],
    ['with a certificate and no key', ['--data', 'DIR', '--tls-cert', 'cert.pem']],
    ['with a key and no certificate', ['--data', 'DIR', '--tls-key', 'key.pem']],
    ['beyond loopback without TLS', ['--data', 'DIR', '--listen', '0.0.0.0:0']],
    ['with its token in the argument list', ['--data', 'DIR', '--enrolment-token', enrolmentToken]],
    ['with its token in the place of something else', ['--data', 'DIR', enrolmentToken]],
    ['with its token as a place to listen', ['--data', 'DIR', '--listen', enrolmentToken]],
    ['for a server on another machine over plain HTTP', ['--data', 'DIR', '--url', 'http://tidegate.invalid']],
  ])('is refused %s, before it has called anyone', async (_what, argv) => {
    const { run, home, server, stderr } = await gatewayHarness({ env: { TIDEGATE_ENROLMENT_TOKEN: enrolmentToken } })
    expect(await run('gateway', ...argv.map((word) => word.replace('DIR', join(home, 'gw'))))).toBe(2)
    expect(server.calls).toEqual([])
    expect(stderr()).not.toContain(enrolmentToken)
  })

  it('does not overwrite an identity that it cannot read', async () => {
    const { run, home, server } = await gatewayHarness({ env: { TIDEGATE_ENROLMENT_TOKEN: enrolmentToken } })
    const file = join(home, 'gw', 'identity.json')
    await mkdir(join(home, 'gw'), { mode: 0o700 })
    await writeFile(file, 'damaged', { mode: 0o600 })
    expect(await run('gateway', '--data', join(home, 'gw'), '--listen', '127.0.0.1:0')).toBe(2)
    expect(await readFile(file, 'utf8')).toBe('damaged')
    expect(server.callsOf('enrolGateway')).toEqual([])
  })
})
