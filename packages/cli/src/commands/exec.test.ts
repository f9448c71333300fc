import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApiError } from '@tidegate/api'
import { describe, expect, it } from 'vitest'
import type { Handlers } from '../testing/api-server.ts'
import { connectionLost } from '../testing/api-server.ts'
import type { Setup } from '../testing/context.ts'
import { harnessWithServer } from '../testing/context.ts'
import { writeProgram } from '../testing/programs.ts'
import {
  activeGrant,
  credentialOf,
  denial,
  endedGrant,
  grantOf,
  me,
  pendingRequest,
  requestOf,
  secret,
  token,
} from '../testing/things.ts'

const granted: Handlers = {
  whoami: () => me,
  listGrants: () => ({ items: [] }),
  listRequests: () => ({ items: [] }),
  createRequest: () => requestOf(),
  getGrant: () => grantOf(),
  activateGrant: () => ({ grant: activeGrant(), credential: credentialOf() }),
  endGrant: () => endedGrant({ end: { reason: 'task-ended', at: '2026-11-21T12:10:00Z' } }),
}

const exec = ['exec', 'orders-db/readonly', '--reason', 'Migration 42']

async function execHarness({
  handlers = {},
  body = '',
  ...setup
}: Setup & { handlers?: Handlers; body?: string } = {}) {
  const harness = await harnessWithServer({ ...granted, ...handlers }, setup)
  const program = await writeProgram(harness.home, 'task', body)
  return { ...harness, program, exec: (...args: string[]) => harness.run(...exec, '--', program.file, ...args) }
}

describe('a task', () => {
  it('has the credential in its environment and not in its arguments, and not our token', async () => {
    const {
      exec: run,
      program,
      stderr,
      stdout,
    } = await execHarness({ env: { PGHOSTADDR: '10.6.6.6', PGSERVICE: 'evil', PGTZ: 'UTC' } })
    expect(await run('-c', 'select 1', '-o', 'json')).toBe(0)
    const { argv, env } = await program.read()
    expect(argv).toEqual(['-c', 'select 1', '-o', 'json'])
    expect(env).toMatchObject({
      PGHOST: '127.0.0.1',
      PGPORT: '5432',
      PGDATABASE: 'orders',
      PGUSER: 'grt_1_login',
      PGPASSWORD: secret,
      PGSSLMODE: 'disable',
      PGAPPNAME: 'tidegate',
      PGTZ: 'UTC',
      TIDEGATE_GRANT: 'grt_1',
    })
    for (const name of ['PGHOSTADDR', 'PGSERVICE', 'PGSSLROOTCERT', 'TIDEGATE_TOKEN'])
      expect(env).not.toHaveProperty(name)
    expect(JSON.stringify(argv)).not.toContain(secret)
    expect(stdout() + stderr()).not.toContain(secret)
    expect(stdout() + stderr()).not.toContain(token)
  })

  it('ends its grant when it ends, and passes on its exit code', async () => {
    const { exec: run, server } = await execHarness({ body: 'process.exitCode = 42' })
    expect(await run()).toBe(42)
    expect(server.calls.at(-1)).toMatchObject({ operation: 'endGrant', input: { id: 'grt_1', because: 'task-ended' } })
  })

  it('asks with its reason, its ticket and an hour unless told otherwise', async () => {
    const { run, program, server } = await execHarness()
    await run(...exec, '--ticket', 'OPS-17', '--', program.file)
    expect(server.callsOf('createRequest')[0]?.input).toEqual({
      role: 'orders-db/readonly',
      duration: '1h',
      reason: 'Migration 42',
      ticket: 'OPS-17',
    })
  })

  it('has the certificate authority in a file of its own while it runs, and not after', async () => {
    const credential = credentialOf({ tls: 'verify-full', ca: 'PEM OF THE AUTHORITY' })
    const {
      exec: run,
      program,
      home,
    } = await execHarness({
      handlers: { activateGrant: () => ({ grant: activeGrant(), credential }) },
    })
    expect(await run()).toBe(0)
    const { env, ca } = await program.read()
    expect(env['PGSSLMODE']).toBe('verify-full')
    expect(ca).toEqual({ text: 'PEM OF THE AUTHORITY', mode: 0o600 })
    expect((await readdir(home)).filter((name) => name.startsWith('tidegate-'))).toEqual([])
  })

  it('verifies with the system’s authorities where the credential names none', async () => {
    const credential = credentialOf({ tls: 'verify-full' })
    const { exec: run, program } = await execHarness({
      handlers: { activateGrant: () => ({ grant: activeGrant(), credential }) },
    })
    await run()
    expect((await program.read()).env).toMatchObject({ PGSSLMODE: 'verify-full', PGSSLROOTCERT: 'system' })
  })

  it('uses a grant that is ready, and leaves one that is open to whoever uses it', async () => {
    const { exec: run, server } = await execHarness({
      handlers: { listGrants: () => ({ items: [activeGrant({ id: 'grt_open' }), grantOf({ id: 'grt_ready' })] }) },
    })
    await run()
    expect(server.callsOf('createRequest')).toEqual([])
    expect(server.callsOf('listGrants')[0]?.input).toMatchObject({ principal: 'user:alice', open: 'true' })
    expect(server.callsOf('activateGrant')[0]?.input).toEqual({ id: 'grt_ready' })
  })

  it('does not use a grant whose time to be opened is over', async () => {
    const { exec: run, server } = await execHarness({
      handlers: { listGrants: () => ({ items: [grantOf({ id: 'grt_old', activateBy: '2026-11-21T11:59:59Z' })] }) },
    })
    await run()
    expect(server.callsOf('createRequest')).toHaveLength(1)
  })
})

describe('a task that comes to another end', () => {
  it('ends its grant when it kills itself, and exits with 128 and the signal', async () => {
    const { exec: run, server } = await execHarness({ body: "save(); process.kill(process.pid, 'SIGKILL')" })
    expect(await run()).toBe(137)
    expect(server.callsOf('endGrant')).toHaveLength(1)
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'is sent our %s, waited for, and its grant ended',
    async (signal) => {
      const body = `onSignal('${signal}', () => process.exit(7)); setInterval(() => {}, 1000); save()`
      const { exec: run, program, signals, server } = await execHarness({ body })
      const exit = run()
      await program.started()
      expect(server.callsOf('endGrant')).toEqual([])
      signals.emit(signal)
      expect(await exit).toBe(7)
      expect((await program.read()).signals).toEqual([signal])
      expect(server.callsOf('endGrant')).toHaveLength(1)
      expect(signals.eventNames().filter((name) => signals.listenerCount(name) > 0)).toEqual([])
    },
  )

  it('is not sent a Ctrl-C that its terminal has sent it already', async () => {
    const body = `onSignal('SIGINT', () => {}); onSignal('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000); save()`
    const { exec: run, program, signals } = await execHarness({ body, tty: true })
    const exit = run()
    await program.started()
    signals.emit('SIGINT')
    signals.emit('SIGTERM')
    expect(await exit).toBe(0)
    expect((await program.read()).signals).toEqual(['SIGTERM'])
  })

  it('ends its grant when it cannot be started', async () => {
    const { run, home, server } = await execHarness()
    const file = join(home, 'broken')
    await writeFile(file, '#!/no/such/interpreter\n')
    await chmod(file, 0o755)
    expect(await run(...exec, '--', file)).toBe(127)
    expect(server.callsOf('activateGrant')).toHaveLength(1)
    expect(server.callsOf('endGrant')).toHaveLength(1)
  })

  it('asks for nothing when there is no such program', async () => {
    const { run, server } = await execHarness()
    expect(await run(...exec, '--', 'no-such-program')).toBe(127)
    expect(server.calls).toEqual([])
  })

  it('ends its grant when the target cannot be opened', async () => {
    const { exec: run, server } = await execHarness({
      handlers: {
        activateGrant: () => {
          throw new ApiError('target-unavailable', { detail: 'orders-db refuses the connection.' })
        },
      },
    })
    expect(await run()).toBe(7)
    expect(server.callsOf('endGrant')).toHaveLength(1)
  })

  it('ends its grant when a signal comes while it is being opened, and does not start', async () => {
    const {
      exec: run,
      signals,
      server,
      program,
    } = await execHarness({
      handlers: {
        activateGrant: () => {
          signals.emit('SIGTERM')
          return { grant: activeGrant(), credential: credentialOf() }
        },
      },
    })
    expect(await run()).toBe(143)
    expect(server.callsOf('endGrant')).toHaveLength(1)
    await expect(program.read()).rejects.toThrow('ENOENT')
  })

  it('ends its grant when it asks for a database that the role is not on', async () => {
    const { run, program, server, stderr } = await execHarness()
    expect(await run(...exec, '--database', 'payroll', '--', program.file)).toBe(2)
    expect(stderr()).toContain('It gives access to orders and archive.')
    expect(server.callsOf('endGrant')).toHaveLength(1)
  })
})

describe('ending the grant', () => {
  it('is tried again while the server is away', async () => {
    let attempts = 0
    const {
      exec: run,
      server,
      stderr,
    } = await execHarness({
      handlers: {
        endGrant: () => {
          if (++attempts < 4) throw connectionLost
          return endedGrant()
        },
      },
    })
    expect(await run()).toBe(0)
    expect(server.callsOf('endGrant')).toHaveLength(4)
    expect(stderr()).toContain('Ended: grant grt_1')
  })

  it('that fails is said loudly, with the time until when it is open, and does not hide the task’s exit code', async () => {
    const { exec: run, stderr } = await execHarness({
      body: 'process.exitCode = 3',
      handlers: {
        endGrant: () => {
          throw connectionLost
        },
      },
    })
    expect(await run()).toBe(3)
    expect(stderr()).toContain(
      'GRANT grt_1 COULD NOT BE ENDED. orders-db/readonly stays open until its expiry, 2026-11-21 12:30',
    )
    expect(stderr()).toContain('tidegate done grt_1')
  })
})

describe('a task that needs people', () => {
  it('is not started, and exits with 4, unless it may wait', async () => {
    const { exec: run, server, program } = await execHarness({ handlers: { createRequest: () => pendingRequest() } })
    expect(await run()).toBe(4)
    expect(server.callsOf('activateGrant')).toEqual([])
    await expect(program.read()).rejects.toThrow('ENOENT')
  })

  it('is started once they said yes', async () => {
    const { run, program, server } = await execHarness({
      handlers: { createRequest: () => pendingRequest(), getRequest: () => requestOf() },
    })
    expect(await run(...exec, '--wait', '--', program.file)).toBe(0)
    expect(server.callsOf('activateGrant')).toHaveLength(1)
  })

  it('takes up the request that waits already', async () => {
    const pending = pendingRequest({ reason: 'Migration 42' })
    const { run, program, server } = await execHarness({
      handlers: {
        listRequests: () => ({ items: [pendingRequest({ id: 'req_0' }), pending] }),
        getRequest: () => requestOf(),
      },
    })
    expect(await run(...exec, '--wait', '--', program.file)).toBe(0)
    expect(server.callsOf('createRequest')).toEqual([])
    expect(server.callsOf('getRequest')[0]?.input).toEqual({ id: 'req_1' })
  })

  it('exits with 3 and says why when it is refused', async () => {
    const { exec: run, stderr } = await execHarness({
      handlers: { createRequest: () => pendingRequest({ status: 'denied', decision: denial }) },
    })
    expect(await run()).toBe(3)
    expect(stderr()).toContain('What would make it a yes:')
  })

  it('leaves the request at Ctrl-C, and exits with 130', async () => {
    const { run, program, server, signals } = await execHarness({
      handlers: { createRequest: () => pendingRequest(), getRequest: () => pendingRequest() },
      onSleep: () => signals.emit('SIGINT'),
    })
    expect(await run(...exec, '--wait', '--', program.file)).toBe(130)
    expect(server.callsOf('cancelRequest')).toEqual([])
    expect(server.callsOf('endGrant')).toEqual([])
  })
})

describe('a target that is down', () => {
  const down = (): never => {
    throw new ApiError('target-unavailable', { detail: 'orders-db does not answer.' })
  }

  it('is waited for where its resource waits and --wait is given', async () => {
    let attempts = 0
    const { run, program, server } = await execHarness({
      handlers: {
        activateGrant: () => (++attempts < 4 ? down() : { grant: activeGrant(), credential: credentialOf() }),
      },
    })
    expect(await run(...exec, '--wait', '--', program.file)).toBe(0)
    expect(server.callsOf('activateGrant')).toHaveLength(4)
  })

  it('is not waited for where its resource has ended the grant', async () => {
    const { run, program, server } = await execHarness({
      handlers: {
        activateGrant: down,
        getGrant: (() => {
          let n = 0
          return () => (n++ === 0 ? grantOf() : endedGrant())
        })(),
      },
    })
    expect(await run(...exec, '--wait', '--', program.file)).toBe(7)
    expect(server.callsOf('activateGrant')).toHaveLength(1)
  })

  it('is waited for no longer than was said', async () => {
    const { run, program, server } = await execHarness({ handlers: { activateGrant: down } })
    expect(await run(...exec, '--wait', '--timeout', '20s', '--', program.file)).toBe(7)
    expect(server.callsOf('activateGrant').length).toBeGreaterThan(3)
    expect(server.callsOf('endGrant')).toHaveLength(1)
  })

  it('is tried again in a moment where the grant is being opened or closed', async () => {
    let attempts = 0
    const { exec: run } = await execHarness({
      handlers: {
        activateGrant: () => {
          if (++attempts < 3) throw new ApiError('grant-busy')
          return { grant: activeGrant(), credential: credentialOf() }
        },
      },
    })
    expect(await run()).toBe(0)
  })
})
