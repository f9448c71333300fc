/** What goes wrong with a login on real machines: each is said clearly, and nothing is lost by it. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { Browser } from './support/browser.ts'
import { answer } from './support/command-line.ts'
import type { CommandLine, Running } from './support/command-line-process.ts'
import { commandLineFor } from './support/command-line-process.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { inStore } from './support/story.ts'

// Each starts a Tidegate, a target, a provider and several processes.
vi.setConfig({ testTimeout: 180_000 })

type Scene = SignInWorld & { readonly browser: Browser; readonly cli: CommandLine; readonly url: string }

async function sceneOf(env: Readonly<Record<string, string>> = {}): Promise<Scene> {
  const scene = await createSignInWorld({ time: 'system' })
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const { url } = scene.world.server
  return { ...scene, browser, url, cli: commandLineFor(url, env) }
}

const addressOf = async (running: Running): Promise<string> =>
  (await running.said(/(http:\S+\/oauth\/authorize\S+)/))[1] ?? ''

async function allow({ browser }: Scene, running: Running) {
  const answered = await answer(browser, await browser.open(await addressOf(running)), 'allow')
  await browser.step(String(answered.headers['location']))
  return running.done
}

const logIn = (scene: Scene) => allow(scene, scene.cli.start(['login', '--no-browser']))

const kept = ({ cli }: Scene): string => join(cli.home, '.config/tidegate/login.json')

const loginsOf = ({ world }: Scene) =>
  inStore(world.store, "select id, end_reason from login where kind = 'command-line' order by started_at")

test('a browser that cannot open the address is told of, and the address still works', async () => {
  const scene = await sceneOf()
  const env = { BROWSER: scene.cli.addProgram('a-browser', 'process.exit(3)') }
  const running = scene.cli.start(['login'], env)
  await running.said(/The browser did not open\. .*--device/)
  expect((await allow(scene, running)).code).toBe(0)
})

test('a keychain that is locked later is named, and nothing is taken for ended that is not', async () => {
  const scene = await sceneOf({ DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' })
  const { cli } = scene
  const [store, locked] = [join(cli.home, 'store'), join(cli.home, 'locked')]
  cli.addProgram(
    'secret-tool',
    `const fs = require('node:fs')
    if (fs.existsSync('${locked}')) process.exit(1)
    if (process.argv[2] === 'store') fs.writeFileSync('${store}', fs.readFileSync(0))
    else if (process.argv[2] === 'clear') fs.rmSync('${store}')
    else if (fs.existsSync('${store}')) process.stdout.write(fs.readFileSync('${store}'))
    else process.exit(1)`,
  )
  expect((await logIn(scene)).stdout).toContain('kept in the keychain')
  writeFileSync(locked, '')
  const [{ id } = { id: '' }] = await loginsOf(scene)
  const me = await cli.run('whoami')
  expect([me.code, me.stderr]).toEqual([5, expect.stringContaining('is not in the keychain')])
  expect(me.stderr).toContain('unlock the keychain')
  rmSync(locked)
  // Unlocked, all is as before.
  expect((await cli.run('whoami')).code).toBe(0)
  writeFileSync(locked, '')
  // A new one goes to the file, and the one that cannot be given back is named.
  const again = await logIn(scene)
  expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('login.json')])
  expect(again.stderr).toContain(`tidegate logins end ${String(id)}`)
  expect(await loginsOf(scene)).toMatchObject([{ end_reason: null }, { end_reason: null }])
  rmSync(kept(scene))
  const out = await cli.run('logout')
  expect([out.code, out.stdout]).toEqual([0, expect.stringContaining('Nothing is kept here')])
  expect(out.stderr).toMatch(/could not be told.*\n.*tidegate logins end lgn_/)
})

test('of two logins at once one is kept, and the other is not left open', async () => {
  const scene = await sceneOf()
  const both = [scene.cli.start(['login', '--no-browser']), scene.cli.start(['login', '--no-browser'])]
  const done = await Promise.all(both.map((running) => allow(scene, running)))
  expect(done.map(({ code }) => code)).toEqual([0, 0])
  const { id } = JSON.parse(readFileSync(kept(scene), 'utf8')) as { id: string }
  const ends = await loginsOf(scene)
  expect(ends.filter(({ end_reason: reason }) => reason === null)).toEqual([{ id, end_reason: null }])
  expect(ends).toHaveLength(2)
  expect((await scene.cli.run('whoami')).code).toBe(0)
})

test('a login whose time is up, and one that was ended elsewhere, say so, and the next one works', async () => {
  const scene = await sceneOf()
  await logIn(scene)
  await inStore(scene.world.store, "update login set ends_at = now() where kind = 'command-line'")
  const over = await scene.cli.run('whoami')
  expect([over.code, over.stderr]).toEqual([5, expect.stringContaining('The login is over.')])
  expect(over.stderr).toContain('tidegate login')
  // What it says is still there: nothing is given up without being asked.
  expect(existsSync(kept(scene))).toBe(true)
  expect((await logIn(scene)).code).toBe(0)
  await scene.world.admin.endLogin({ id: (JSON.parse(readFileSync(kept(scene), 'utf8')) as { id: string }).id })
  const ended = await scene.cli.run('request', 'orders-db/readonly', '--for', '1h', '--reason', 'Look')
  expect([ended.code, ended.stderr]).toEqual([5, expect.stringContaining('The login is over.')])
  const out = await scene.cli.run('logout')
  expect([out.code, out.stdout, out.stderr]).toEqual([0, expect.stringContaining('You are logged out'), ''])
})

test('a process that died while it made a token anew holds up nobody', async () => {
  const scene = await sceneOf()
  await logIn(scene)
  const state = join(scene.cli.home, '.local/state/tidegate')
  const { pid } = spawnSync(process.execPath, ['--version'])
  mkdirSync(state, { recursive: true })
  writeFileSync(join(state, 'login.lock'), String(pid))
  writeFileSync(kept(scene), JSON.stringify({ ...JSON.parse(readFileSync(kept(scene), 'utf8')), accessEndsAt: 0 }))
  const begun = performance.now()
  expect((await scene.cli.run('whoami')).code).toBe(0)
  expect(performance.now() - begun).toBeLessThan(100_000)
  expect(existsSync(join(state, 'login.lock'))).toBe(false)
})

test.each([
  ['ahead', 3_600_000],
  ['behind', -3_600_000],
])('on a machine whose clock is an hour %s everything works', async (_how, offBy) => {
  const wrong = encodeURIComponent(`const right = Date.now; Date.now = () => right() + ${offBy}`)
  const scene = await sceneOf({ NODE_OPTIONS: `--import data:text/javascript,${wrong}` })
  expect((await logIn(scene)).code).toBe(0)
  const held = JSON.parse(readFileSync(kept(scene), 'utf8')) as { accessEndsAt: number }
  expect(Math.abs(held.accessEndsAt - Date.now())).toBeGreaterThan(1_800_000)
  expect((await scene.cli.run('whoami')).code).toBe(0)
  writeFileSync(kept(scene), JSON.stringify({ ...held, accessEndsAt: 0 }))
  const me = await scene.cli.run('whoami')
  expect([me.code, me.stderr]).toEqual([0, ''])
  const out = await scene.cli.run('logout')
  expect([out.code, await loginsOf(scene)]).toMatchObject([0, [{ end_reason: 'signed-out' }]])
})
