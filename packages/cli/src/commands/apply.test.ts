import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApiError } from '@tidegate/api'
import { describe, expect, it } from 'vitest'
import type { Handlers } from '../testing/api-server.ts'
import { connectionLost } from '../testing/api-server.ts'
import type { Setup } from '../testing/context.ts'
import { harnessWithServer } from '../testing/context.ts'
import { changeOf, planOf } from '../testing/things.ts'

async function applyHarness(handlers: Handlers = {}, setup: Setup = {}) {
  const all = { planConfig: () => planOf(), applyConfig: () => changeOf(), ...handlers }
  const harness = await harnessWithServer(all, { ...setup, env: { NO_COLOR: '1' } })
  const directory = join(harness.home, 'access')
  await mkdir(directory)
  await writeFile(join(directory, 'users.yaml'), 'users: []\n')
  return { ...harness, apply: (...args: string[]) => harness.run('apply', '-f', directory, ...args) }
}

const shown = `On version 7: 1 to create, 1 to change.
  + create group dba  (who may do what)
  ~ change resource orders-db
      labels.env: staging → production
On live access:
  ! Ends grant grt_9 of user:bob.
`

describe('apply', () => {
  it('--plan shows what would change and changes nothing', async () => {
    const { apply, server, stdout } = await applyHarness()
    expect(await apply('--plan')).toBe(0)
    expect(stdout()).toBe(shown)
    expect(server.calls.map(({ operation }) => operation)).toEqual(['planConfig'])
    expect(server.calls[0]?.input).toEqual({ files: [{ path: 'users.yaml', text: 'users: []\n' }] })
  })

  it('asks at a terminal, and applies exactly what was shown', async () => {
    const { apply, server, stdout, stderr } = await applyHarness({}, { tty: true, stdin: 'y\n' })
    expect(await apply()).toBe(0)
    expect(stderr()).toContain(shown)
    expect(stdout()).toBe('Applied as version 8.\n')
    expect(server.callsOf('applyConfig')[0]?.input).toEqual({
      files: [{ path: 'users.yaml', text: 'users: []\n' }],
      base: 7,
    })
  })

  it.each(['\n', 'n\n', 'q\nno\n'])('applies nothing on %j', async (stdin) => {
    const { apply, server } = await applyHarness({}, { tty: true, stdin })
    expect(await apply()).toBe(3)
    expect(server.callsOf('applyConfig')).toEqual([])
  })

  it('needs --yes where there is no one to ask, and sends nothing without it', async () => {
    const { apply, server, stderr } = await applyHarness()
    expect(await apply()).toBe(2)
    expect(stderr()).toContain('--yes')
    expect(server.calls).toEqual([])
    expect(await apply('--yes')).toBe(0)
  })

  it('applies nothing where there is nothing to change', async () => {
    const { apply, server, stdout } = await applyHarness({ planConfig: () => planOf({ items: [], effects: [] }) })
    expect(await apply('--yes')).toBe(0)
    expect(stdout()).toContain('Nothing to change')
    expect(server.callsOf('applyConfig')).toEqual([])
  })

  it('applies nothing on another version than --base', async () => {
    const { apply, server } = await applyHarness()
    expect(await apply('--yes', '--base', '6')).toBe(3)
    expect(server.callsOf('applyConfig')).toEqual([])
    expect(await apply('--yes', '--base', '7')).toBe(0)
  })

  it('says how a second person approves, and exits with 4', async () => {
    const { apply, stdout } = await applyHarness({ applyConfig: () => changeOf({ status: 'pending' }) })
    expect(await apply('--yes')).toBe(4)
    expect(stdout()).toContain('Waiting for a second administrator, someone other than user:alice.')
    expect(stdout()).toContain('tidegate changes approve chg_1')
  })

  it('is sent once more with the same key when the network lost the answer', async () => {
    let attempts = 0
    const { apply, server } = await applyHarness({
      applyConfig: () => {
        if (attempts++ === 0) throw connectionLost
        return changeOf()
      },
    })
    expect(await apply('--yes')).toBe(0)
    expect(new Set(server.callsOf('applyConfig').map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1)
  })

  it('prints what is wrong by file, line and column, with what to do', async () => {
    const { apply, stderr } = await applyHarness({
      planConfig: () => {
        throw new ApiError('invalid-input', {
          problems: [
            {
              field: 'policies.cedar:12:3',
              message: 'unknown annotation @aprovers',
              remedy: 'Did you mean @approvers?',
            },
            { field: 'users.yaml:2:5', message: 'unknown key nmae' },
          ],
        })
      },
    })
    expect(await apply('--plan')).toBe(2)
    expect(stderr()).toContain('  policies.cedar:12:3 unknown annotation @aprovers\n    Did you mean @approvers?\n')
    expect(stderr()).toContain('  users.yaml:2:5 unknown key nmae\n')
  })

  it('prints the plan, or the change, as JSON', async () => {
    const { apply, stdout } = await applyHarness()
    expect(await apply('--plan', '-o', 'json')).toBe(0)
    expect(JSON.parse(stdout())).toEqual(planOf())
    const second = await applyHarness()
    expect(await second.apply('--yes', '-o', 'json')).toBe(0)
    expect(JSON.parse(second.stdout())).toEqual(changeOf())
  })
})
