import { mkdir, readFile, stat } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { ApiError } from '@tidegate/api'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Handlers } from '../testing/api-server.ts'
import type { Setup } from '../testing/context.ts'
import { harnessWithServer } from '../testing/context.ts'
import { writeProgram } from '../testing/programs.ts'
import {
  activeGrant,
  credentialOf,
  endedGrant,
  grantOf,
  me,
  pendingRequest,
  requestOf,
  secret,
} from '../testing/things.ts'

const granted = (): Handlers => {
  let opened = false
  return {
    whoami: () => me,
    listGrants: () => ({ items: [] }),
    listRequests: () => ({ items: [] }),
    createRequest: () => requestOf(),
    getGrant: () => (opened ? activeGrant() : grantOf()),
    activateGrant: () => {
      opened = true
      return { grant: activeGrant(), credential: credentialOf() }
    },
    endGrant: () => endedGrant(),
  }
}

const connect = ['connect', 'orders-db/readonly', '--reason', 'Look into OPS-17']

type Options = Setup & { readonly handlers?: Handlers; readonly body?: string; readonly psql?: boolean }

async function connectHarness({ handlers = {}, body = '', psql = true, ...setup }: Options = {}) {
  // A PATH with our psql alone, or with none.
  const env: Record<string, string> = { ...setup.env, NO_COLOR: '1' }
  const harness = await harnessWithServer({ ...granted(), ...handlers }, { ...setup, env })
  const program = await writeProgram(harness.home, 'psql', body)
  const empty = join(harness.home, 'empty')
  await mkdir(empty)
  env['PATH'] = psql ? program.directory : empty
  Object.assign(harness.context.env, env)
  return { ...harness, program }
}

describe('a session', () => {
  it('is psql with the credential in its environment and nothing in its arguments', async () => {
    const { run, program, stdout, stderr } = await connectHarness()
    expect(await run(...connect)).toBe(0)
    const { argv, env } = await program.read()
    expect(argv).toEqual([])
    expect(env).toMatchObject({ PGPASSWORD: secret, PGUSER: 'grt_1_login', PGDATABASE: 'orders' })
    expect(stdout()).toBe('')
    expect(stderr()).not.toContain(secret)
    expect(stderr()).toContain('orders-db/readonly is open; it ends 2026-11-21 12:30 (in 30m).')
  })

  it('is on the database that was asked for', async () => {
    const { run, program } = await connectHarness()
    await run(...connect, '--database', 'archive')
    expect((await program.read()).env['PGDATABASE']).toBe('archive')
  })

  it('passes on the exit code of psql', async () => {
    const { run } = await connectHarness({ body: 'process.exitCode = 2' })
    expect(await run(...connect)).toBe(2)
  })

  it('uses a grant that is open, the one that lasts longest, and asks for none', async () => {
    const items = [activeGrant({ id: 'grt_a' }), activeGrant({ id: 'grt_b', expiresAt: '2026-11-21T13:00:00Z' })]
    const { run, server, stderr } = await connectHarness({ handlers: { listGrants: () => ({ items }) } })
    expect(await run('connect', 'orders-db/readonly')).toBe(0)
    expect(server.callsOf('activateGrant')[0]?.input).toEqual({ id: 'grt_b' })
    expect(server.callsOf('createRequest')).toEqual([])
    expect(stderr()).toContain('Using grant grt_b (orders-db/readonly): ends 2026-11-21 13:00 (in 1h).')
  })

  it('needs a reason where it has to ask for one and there is no one to say it', async () => {
    const { run, server } = await connectHarness()
    expect(await run('connect', 'orders-db/readonly')).toBe(2)
    expect(server.callsOf('createRequest')).toEqual([])
  })

  it('asks for the reason at a terminal', async () => {
    const { run, server } = await connectHarness({ tty: true, stdin: 'Look around\n' })
    expect(await run('connect', 'orders-db/readonly', '--keep')).toBe(0)
    expect(server.callsOf('createRequest')[0]?.input).toMatchObject({ reason: 'Look around', duration: '1h' })
  })

  it('waits for approval and says who is asked', async () => {
    const { run, stderr, server } = await connectHarness({
      handlers: { createRequest: () => pendingRequest(), getRequest: () => requestOf() },
    })
    expect(await run(...connect)).toBe(0)
    expect(stderr()).toContain('Waiting for the requester’s manager or team-leads')
    expect(server.callsOf('activateGrant')).toHaveLength(1)
  })

  it('leaves Ctrl-C to psql', async () => {
    const body =
      "onSignal('SIGINT', () => {}); onSignal('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000); save()"
    const { run, program, signals } = await connectHarness({ body })
    const exit = run(...connect)
    await program.started()
    signals.emit('SIGINT')
    signals.emit('SIGTERM')
    expect(await exit).toBe(0)
    expect((await program.read()).signals).toEqual(['SIGTERM'])
  })
})

describe('after the session', () => {
  it.each([
    ['ends the grant on Enter', '\n', true],
    ['ends the grant on yes', 'yes\n', true],
    ['keeps the grant on no', 'n\n', false],
    ['asks again for what is neither', 'maybe\nno\n', false],
  ])('%s', async (_what, stdin, ends) => {
    const { run, server, stderr } = await connectHarness({ tty: true, stdin })
    expect(await run(...connect)).toBe(0)
    expect(stderr()).toContain('End the grant now? [Y/n]')
    expect(server.callsOf('endGrant')).toHaveLength(ends ? 1 : 0)
    if (!ends) expect(stderr()).toContain('Grant grt_1 stays: ends 2026-11-21 12:30')
  })

  it.each([
    ['--keep', true, 0],
    ['--end', true, 1],
    ['--keep', false, 0],
    ['--end', false, 1],
  ])('does not ask with %s (terminal: %s)', async (flag, tty, ends) => {
    const { run, server, stderr } = await connectHarness({ tty })
    expect(await run(...connect, flag)).toBe(0)
    expect(stderr()).not.toContain('[Y/n]')
    expect(server.callsOf('endGrant')).toHaveLength(ends)
  })

  it('ends the grant where there is no terminal', async () => {
    const { run, server } = await connectHarness()
    expect(await run(...connect)).toBe(0)
    expect(server.callsOf('endGrant')[0]?.input).toMatchObject({ id: 'grt_1', because: 'done' })
  })

  it('ends the grant without asking after a hang-up', async () => {
    const { run, program, signals, server } = await connectHarness({
      tty: true,
      body: "onSignal('SIGHUP', () => process.exit(1)); setInterval(() => {}, 1000); save()",
    })
    const exit = run(...connect)
    await program.started()
    signals.emit('SIGHUP')
    expect(await exit).toBe(1)
    expect(server.callsOf('endGrant')).toHaveLength(1)
  })

  it('says that the grant has ended already, and asks nothing', async () => {
    let looks = 0
    const revoked = endedGrant({ end: { reason: 'revoked', at: '2026-11-21T12:10:00Z' } })
    const { run, server, stderr } = await connectHarness({
      tty: true,
      handlers: { getGrant: () => (looks++ === 0 ? grantOf() : revoked) },
    })
    expect(await run(...connect)).toBe(0)
    expect(stderr()).toContain('someone revoked it')
    expect(stderr()).not.toContain('[Y/n]')
    expect(server.callsOf('endGrant')).toEqual([])
  })

  it('leaves a grant that never opened ready, with its approval', async () => {
    const { run, server, stderr } = await connectHarness({
      handlers: {
        activateGrant: () => {
          throw new ApiError('target-unavailable', { detail: 'orders-db does not answer.' })
        },
      },
    })
    expect(await run(...connect)).toBe(7)
    expect(server.callsOf('endGrant')).toEqual([])
    expect(stderr()).toContain('Grant grt_1 stays')
  })

  it('begins all the same with --wait, as soon as a gateway is connected', async () => {
    let refusals = 2
    const { activateGrant } = granted()
    const { run, server, stderr } = await connectHarness({
      handlers: {
        getGrant: () => activeGrant(),
        activateGrant: (...asked) => {
          if (refusals-- > 0) throw new ApiError('no-gateway', { detail: 'No gateway is connected.' })
          return activateGrant!(...asked)
        },
      },
    })
    expect(await run(...connect, '--wait')).toBe(0)
    expect(server.callsOf('activateGrant')).toHaveLength(3)
    expect(stderr()).toContain('No gateway is connected. Trying again.')
  })

  it('leaves a grant that others may have open as it is, where no gateway is connected', async () => {
    const { run, server, stderr } = await connectHarness({
      handlers: {
        listGrants: () => ({ items: [activeGrant()] }),
        getGrant: () => activeGrant(),
        activateGrant: () => {
          throw new ApiError('no-gateway')
        },
      },
    })
    expect(await run(...connect)).toBe(7)
    expect(server.callsOf('endGrant')).toEqual([])
    expect(stderr()).toContain('Grant grt_1 stays: ends 2026-11-21 12:30')
  })

  it('ends a grant that opened and could not be used', async () => {
    const { run, server } = await connectHarness({ tty: true })
    expect(await run(...connect, '--database', 'payroll', '--keep')).toBe(2)
    expect(server.callsOf('endGrant')).toHaveLength(1)
  })
})

describe('a connection URI', () => {
  const uri = `postgresql://grt_1_login:${encodeURIComponent(secret)}@127.0.0.1:5432/orders?sslmode=disable&application_name=tidegate\n`

  it('is printed to stdout with --print, with a warning on stderr, and the grant stays', async () => {
    const { run, server, stdout, stderr } = await connectHarness()
    expect(await run(...connect, '--print')).toBe(0)
    expect(stdout()).toBe(uri)
    expect(new URL(stdout().trim()).password).toBe(encodeURIComponent(secret))
    expect(stderr()).toContain('holds a secret')
    expect(stderr()).not.toContain(secret)
    expect(server.callsOf('endGrant')).toEqual([])
  })

  it('is printed at a terminal where there is no psql', async () => {
    const { run, stdout, server } = await connectHarness({ psql: false, tty: true, stdin: 'n\n' })
    expect(await run(...connect)).toBe(0)
    expect(stdout()).toBe(uri)
    expect(server.callsOf('endGrant')).toEqual([])
  })

  it('is not put into a pipe unless that was asked for, and nothing is opened for it', async () => {
    const { run, stdout, server } = await connectHarness({ psql: false })
    expect(await run(...connect)).toBe(2)
    expect(await run(...connect, '--end')).toBe(2)
    expect(stdout()).toBe('')
    expect(server.calls).toEqual([])
  })

  it('names a file with the certificate authority that outlives us', async () => {
    const credential = credentialOf({ tls: 'verify-full', ca: 'PEM', host: '::1' })
    const { run, stdout } = await connectHarness({
      handlers: { activateGrant: () => ({ grant: activeGrant(), credential }) },
    })
    expect(await run(...connect, '--print')).toBe(0)
    const { searchParams, host } = new URL(stdout().trim())
    expect(host).toBe('[::1]:5432')
    const file = searchParams.get('sslrootcert') ?? ''
    expect(await readFile(file, 'utf8')).toBe('PEM')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  it('is the whole credential with --output json', async () => {
    const { run, stdout } = await connectHarness()
    expect(await run(...connect, '--print', '-o', 'json')).toBe(0)
    expect(JSON.parse(stdout())).toMatchObject({ grant: { id: 'grt_1' }, credential: { secret } })
  })
})

/** One that nothing listened on a moment ago. */
async function freePort() {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return { port }
}

/** Answers what it is sent, in capitals, and says when someone has left. */
async function target() {
  const left: Promise<void>[] = []
  const server = createServer((socket) => {
    left.push(new Promise((resolve) => socket.once('close', () => resolve())))
    socket.on('data', (data) => socket.write(String(data).toUpperCase()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())))
  return { port: (server.address() as AddressInfo).port, left }
}

async function converse(port: number, text: string): Promise<string> {
  const socket = createConnection({ host: '127.0.0.1', port })
  onTestFinished(() => void socket.destroy())
  socket.write(text)
  return new Promise((resolve, reject) => {
    socket.once('data', (data) => resolve(String(data)))
    socket.once('error', reject)
    socket.once('close', () => resolve('closed'))
  })
}

describe('a port of this machine', () => {
  const listening = (text: string): number => Number(/^port {6,}(\d+)$/m.exec(text)?.[1])

  /** Runs until what to connect with has been printed. */
  async function serving(options: Options & { readonly credential?: Partial<ReturnType<typeof credentialOf>> } = {}) {
    const { port, left } = await target()
    const credential = credentialOf({ port, ...options.credential })
    const harness = await connectHarness({
      ...options,
      psql: false,
      handlers: { ...options.handlers, activateGrant: () => ({ grant: activeGrant(), credential }) },
    })
    const exit = harness.run(...connect, '--port', '0')
    while (!harness.stderr().includes('until Ctrl-C')) await new Promise((resolve) => setImmediate(resolve))
    return { ...harness, exit, left, target: port, local: listening(harness.stdout()) }
  }

  it('leads to the credential’s host with --port, until Ctrl-C, and cuts what passes then', async () => {
    const { exit, local, signals, left, stdout, stderr } = await serving()
    expect(await converse(local, 'select')).toBe('SELECT')
    expect(await converse(local, 'again')).toBe('AGAIN')
    signals.emit('SIGINT')
    expect(await exit).toBe(0)
    await Promise.all(left)
    await expect(converse(local, 'late')).rejects.toThrow('ECONNREFUSED')
    expect(stderr()).toContain('holds a secret')
    expect(stderr()).not.toContain(secret)
    expect(stdout()).toContain(`user      grt_1_login\npassword  ${secret}\nsslmode   disable\n`)
  })

  it('ends with its grant, and goes on while the server does not answer', async () => {
    let looks = 0
    const getGrant = (): ReturnType<typeof activeGrant> => {
      looks += 1
      if (looks === 3) throw new ApiError('internal')
      return looks < 5 ? activeGrant() : endedGrant({ end: { reason: 'revoked', at: '2026-11-21T12:10:00Z' } })
    }
    const { exit, local, stderr, server } = await serving({ handlers: { getGrant } })
    expect(await exit).toBe(0)
    await expect(converse(local, 'late')).rejects.toThrow('ECONNREFUSED')
    expect(stderr()).toMatch(/Grant grt_1 ended .*: someone revoked it\./)
    expect(server.callsOf('endGrant')).toEqual([])
  })

  it('ends the grant afterwards as after psql, and asks at a terminal', async () => {
    const alone = await serving()
    alone.signals.emit('SIGTERM')
    expect(await alone.exit).toBe(0)
    expect(alone.server.callsOf('endGrant')).toHaveLength(1)
    const someone = await serving({ tty: true, stdin: 'n\n' })
    someone.signals.emit('SIGINT')
    expect(await someone.exit).toBe(0)
    expect(someone.stderr()).toContain('End the grant now? [Y/n]')
    expect(someone.server.callsOf('endGrant')).toEqual([])
  })

  it('keeps the name that the certificate is for in the URI of libpq, beside the address', async () => {
    const credential = { host: 'db.example.com', tls: 'verify-full' as const, ca: 'PEM' }
    const { exit, local, signals, stdout } = await serving({ credential })
    const uri = new URL(stdout().trim().split('\n').at(-1) ?? '')
    expect(uri.host).toBe(`db.example.com:${local}`)
    expect(Object.fromEntries(uri.searchParams)).toMatchObject({ hostaddr: '127.0.0.1', sslmode: 'verify-full' })
    expect(stdout()).toMatch(/^sslmode {3}verify-ca, with the authority in \/.*\.pem$/m)
    signals.emit('SIGINT')
    await exit
  })

  it('that is in use is refused before a grant is asked for', async () => {
    const { port } = await target()
    const { run, server, stderr } = await connectHarness({ psql: false })
    expect(await run(...connect, '--port', String(port))).toBe(2)
    expect(stderr()).toContain(`Port ${port} of this machine cannot be listened on: it is in use.`)
    expect(server.calls).toEqual([])
  })

  it('is let go of where there is no grant', async () => {
    const refused = () => {
      throw new ApiError('no-gateway')
    }
    const { run } = await connectHarness({ psql: false, handlers: { activateGrant: refused } })
    const { port } = await freePort()
    expect(await run(...connect, '--port', String(port))).toBe(7)
    await expect(converse(port, 'anyone')).rejects.toThrow('ECONNREFUSED')
  })
})
