/** `tidegate login` and what comes after it: real processes, a real server, a real provider, and a person at a browser. */

import { existsSync, readFileSync, statSync, writeFileSync, chmodSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Browser } from './support/browser.ts'
import { answer } from './support/command-line.ts'
import type { CommandLine } from './support/command-line-process.ts'
import { commandLineFor } from './support/command-line-process.ts'
import { send } from './support/http.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { inStore } from './support/story.ts'

// Each starts a Tidegate, a target, a provider and several processes.
vi.setConfig({ testTimeout: 120_000 })

type Scene = SignInWorld & { readonly browser: Browser; readonly cli: CommandLine; readonly url: string }

async function sceneOf(env: Readonly<Record<string, string>> = {}): Promise<Scene> {
  const scene = await createSignInWorld({ time: 'system' })
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }, { amr: ['mfa'] }))
  const { url } = scene.world.server
  return { ...scene, browser, url, cli: commandLineFor(url, env) }
}

const kept = ({ cli }: Scene): string => join(cli.home, '.config/tidegate/login.json')
const config = ({ cli }: Scene): string => join(cli.home, '.config/tidegate/config.json')

type Held = { accessToken: string; refreshToken: string; accessEndsAt: number; id: string }
const heldBy = (scene: Scene): Held => JSON.parse(readFileSync(kept(scene), 'utf8')) as Held

/** A person who allows what they are asked, and whose browser goes back to where it is sent. */
async function goTo({ browser }: Scene, address: string, word = 'allow'): Promise<number> {
  const answered = await answer(browser, await browser.open(address), word)
  return (await browser.step(String(answered.headers['location']))).status
}

async function logIn(scene: Scene) {
  const running = scene.cli.start(['login', '--no-browser'])
  const [, address = ''] = await running.said(/(http:\S+\/oauth\/authorize\S+)/)
  expect(await goTo(scene, address)).toBe(200)
  return running.done
}

test('a person logs in through the browser, is themselves in every command, and is logged out at the server, too', async () => {
  const scene = await sceneOf()
  const { cli } = scene
  const done = await logIn(scene)
  expect([done.code, done.stdout]).toEqual([0, expect.stringContaining('as user:erin@example.com')])
  expect(statSync(kept(scene)).mode & 0o777).toBe(0o600)
  const me = await cli.run('whoami')
  expect(me.stdout).toContain('engineers')
  expect(me.stdout).toContain('a sign-in at your provider, with a second factor')
  expect(me.stdout).toMatch(/login {3}lgn_/)
  const asked = await cli.run('request', 'orders-db/readonly', '--for', '1h', '--reason', 'Look at order 7')
  expect(asked.code).toBe(0)
  const listed = await cli.run('logins')
  expect(listed.stdout).toMatch(/lgn_\S+ \* +user:erin@example.com +command-line .*tidegate\/\d/)
  const tokens = heldBy(scene)
  const out = await cli.run('logout')
  expect([out.code, out.stdout]).toEqual([0, expect.stringContaining('You are logged out')])
  expect([existsSync(kept(scene)), existsSync(config(scene))]).toEqual([false, false])
  expect(await inStore(scene.world.store, "select end_reason from login where kind = 'command-line'")).toEqual([
    { end_reason: 'signed-out' },
  ])
  const again = await cli.run('whoami')
  expect([again.code, again.stderr]).toEqual([5, expect.stringContaining('Run `tidegate login')])
  const everything = [done, me, asked, listed, out].map(({ stdout, stderr }) => stdout + stderr).join('')
  for (const secret of [tokens.accessToken, tokens.refreshToken]) expect(everything).not.toContain(secret)
})

test('the browser of the person is opened with the address, which holds nothing that is a secret', async () => {
  const scene = await sceneOf()
  let opened: (address: string) => void = () => undefined
  const address = new Promise<string>((resolve) => (opened = resolve))
  const server = createServer((request, response) => {
    response.end()
    opened(decodeURIComponent((request.url ?? '').slice(1)))
  })
  onTestFinished(() => void server.close())
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  scene.cli.addProgram('a-browser', `fetch('${at}' + encodeURIComponent(process.argv[2]))`)
  const running = scene.cli.start(['login'], { BROWSER: 'a-browser' })
  const { searchParams, href } = new URL(await address)
  expect(searchParams.get('client_id')).toBe('tidegate-cli')
  expect([...searchParams.keys()]).not.toContain('code_verifier')
  await goTo(scene, href)
  expect((await running.done).code).toBe(0)
})

test('without a browser a code is shown, which the person types into one elsewhere', async () => {
  const scene = await sceneOf()
  const { browser, url, cli } = scene
  const running = cli.start(['login'])
  const [, code = ''] = await running.said(/type (\S{4}-\S{4})/)
  const body = new URLSearchParams({ user_code: code }).toString()
  const shown = await browser.post(`${url}/device`, body, { origin: url })
  expect(shown.text).toMatch(/tidegate\/\d\S* \(/)
  await answer(browser, shown, 'allow')
  expect((await running.done).stdout).toContain('as user:erin@example.com')
  expect((await cli.run('whoami')).code).toBe(0)
})

test('a no in the browser is told, and nothing is kept', async () => {
  const scene = await sceneOf()
  const running = scene.cli.start(['login', '--no-browser'])
  const [, address = ''] = await running.said(/(http:\S+\/oauth\/authorize\S+)/)
  await goTo(scene, address, 'refuse')
  const { code, stderr } = await running.done
  expect([code, stderr]).toEqual([3, expect.stringContaining('It was refused in the browser.')])
  expect(existsSync(config(scene))).toBe(false)
})

test('whatever else knocks at the port it waits at is sent away, and changes nothing', async () => {
  const scene = await sceneOf()
  const running = scene.cli.start(['login', '--no-browser'])
  const [, address = ''] = await running.said(/(http:\S+\/oauth\/authorize\S+)/)
  const { origin } = new URL(new URL(address).searchParams.get('redirect_uri') as string)
  const path = '/callback?code=tdc_x&state=another'
  expect((await send(origin, { path })).status).toBe(400)
  expect((await send(origin, { path: '/callback' })).status).toBe(400)
  expect((await send(origin, { path, headers: { host: 'evil.example' } })).status).toBe(400)
  expect(await goTo(scene, address)).toBe(200)
  expect((await running.done).code).toBe(0)
})

test('a token that is over is made anew without a word, by one of several processes for all', async () => {
  const scene = await sceneOf()
  await logIn(scene)
  const before = heldBy(scene)
  writeFileSync(kept(scene), JSON.stringify({ ...before, accessEndsAt: 0 }))
  const all = await Promise.all([scene.cli.run('whoami'), scene.cli.run('whoami'), scene.cli.run('whoami')])
  expect(all.map(({ code, stderr }) => [code, stderr])).toEqual(all.map(() => [0, '']))
  const after = heldBy(scene)
  expect(after.refreshToken).not.toBe(before.refreshToken)
  // The first access token and one more: one process asked.
  expect(await inStore(scene.world.store, 'select count(*)::int as count from access_token')).toEqual([{ count: 2 }])
})

test('what is taken from the file is worth nothing without the key, and a spent token ends the login', async () => {
  const scene = await sceneOf()
  await logIn(scene)
  const { accessToken } = heldBy(scene)
  const stolen = { path: '/v1/me', headers: { authorization: `Bearer ${accessToken}` } }
  expect((await send(scene.url, stolen)).status).toBe(401)
  expect((await send(scene.url, { ...stolen, headers: { authorization: `DPoP ${accessToken}` } })).status).toBe(401)
  const first = readFileSync(kept(scene), 'utf8')
  const over = (text: string): string => JSON.stringify({ ...(JSON.parse(text) as Held), accessEndsAt: 0 })
  writeFileSync(kept(scene), over(first))
  expect((await scene.cli.run('whoami')).code).toBe(0)
  const second = readFileSync(kept(scene), 'utf8')
  await inStore(
    scene.world.store,
    "update login set earlier_until = now() - interval '1 s' where earlier_hash is not null",
  )
  // A copy of the file of before, key and all: one of two holders is not the person.
  writeFileSync(kept(scene), over(first))
  const thief = await scene.cli.run('whoami')
  expect([thief.code, thief.stderr]).toEqual([5, expect.stringContaining('Run `tidegate login`')])
  writeFileSync(kept(scene), second)
  expect((await scene.cli.run('whoami')).code).toBe(5)
  expect(await inStore(scene.world.store, "select end_reason from login where kind = 'command-line'")).toEqual([
    { end_reason: 'reused' },
  ])
})

test('a logout at the provider ends it, and the command line says what to do', async () => {
  const scene = await sceneOf()
  await logIn(scene)
  await scene.sendLogout(await scene.logoutToken({ sub: 'erin' }, { issuedAt: Math.floor(Date.now() / 1_000) }))
  const { code, stderr } = await scene.cli.run('whoami')
  expect([code, stderr]).toEqual([5, expect.stringContaining('tidegate login')])
})

test('a login is ended from another one of the same person', async () => {
  const scene = await sceneOf()
  await logIn(scene)
  const other = commandLineFor(scene.url)
  const there = { ...scene, cli: other }
  await logIn(there)
  const ended = await scene.cli.run('logins', 'end', heldBy(there).id)
  expect([ended.code, ended.stdout]).toEqual([0, expect.stringContaining('the command-line of user:erin@example.com')])
  expect((await other.run('whoami')).code).toBe(5)
  expect((await scene.cli.run('whoami')).code).toBe(0)
})

test('logging in anew ends what was kept before', async () => {
  const scene = await sceneOf()
  await logIn(scene)
  await logIn(scene)
  const rows = await inStore(
    scene.world.store,
    "select end_reason from login where kind = 'command-line' order by end_reason nulls last",
  )
  expect(rows).toEqual([{ end_reason: 'signed-out' }, { end_reason: null }])
})

test('a file that others may read is refused, and so is a server that calls itself something else', async () => {
  const scene = await sceneOf()
  await logIn(scene)
  chmodSync(kept(scene), 0o644)
  const { code, stderr } = await scene.cli.run('whoami')
  expect([code, stderr]).toEqual([1, expect.stringContaining('chmod 600')])
  const elsewhere = scene.url.replace('127.0.0.1', 'localhost')
  const other = await scene.cli.run('--url', elsewhere, 'login', '--no-browser')
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('calls itself something else')])
})
