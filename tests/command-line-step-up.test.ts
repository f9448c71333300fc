/** Where more has to be proved the command line sees to it, and goes on: processes, a server, a provider, and a person. */

import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import type { Authenticator } from './support/authenticator.ts'
import type { Browser, Visit } from './support/browser.ts'
import { createBrowser } from './support/browser.ts'
import { answer } from './support/command-line.ts'
import type { CommandLine, Running } from './support/command-line-process.ts'
import { commandLineFor } from './support/command-line-process.ts'
import { addApp, addPasskey, proveByPasskey, stepUp } from './support/factors.ts'
import { submit } from './support/forms.ts'
import { hasProgram } from './support/programs.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { inStore } from './support/story.ts'

// Each starts a Tidegate, a target, a provider and several processes.
vi.setConfig({ testTimeout: 180_000 })

const policies = `
@id("asking-takes-a-passkey") @advice("Confirm with a passkey.")
forbid (principal is User, action == Action::"access", resource in Label::"service=orders")
when { context.step == "request" && resource.risk == "elevated" }
unless { context.authentication.phishing_resistant || context.authentication.method == "token" };

@id("connecting-takes-a-second-factor")
forbid (principal is User, action == Action::"access", resource in Label::"service=orders")
when { context.step == "connect" && !context.authentication.mfa };

@id("approving-takes-a-passkey")
forbid (principal, action == Action::"access", resource in Label::"service=orders")
when { context has approver && !context.approver.phishing_resistant };

@id("auditing-takes-a-passkey") @max_duration("1h")
permit (principal in Group::"engineers", action == Action::"access", resource == Role::"tidegate/auditor")
when { context.authentication.phishing_resistant };

@id("glass") @max_duration("1h")
permit (principal, action == Action::"break-glass", resource in Label::"env=production");
`

const glass = `
breakGlass:
  people: [group:engineers]
  roles: [orders-db/maintainer]
  review: { by: security, within: 24h }
`

type Person = { readonly browser: Browser; readonly device: Authenticator }
type Scene = SignInWorld & Person & { readonly cli: CommandLine; readonly url: string }

/** Erin, with a passkey and an app, logged in with the command line by a sign-in alone. */
async function sceneOf(): Promise<Scene> {
  const scene = await createSignInWorld({ host: 'localhost', time: 'system' })
  const { url } = scene.world.server
  await scene.apply((files) => [
    ...files.map((file) => ({
      ...file,
      text: file.text.replace('id: team-leads, members: [', 'id: team-leads, members: [group:okta/platform, '),
    })),
    { path: 'stronger.cedar', text: policies },
    { path: 'glass.yaml', text: glass },
  ])
  const person = await enter(scene, 'erin')
  const cli = commandLineFor(url)
  const whole = { ...scene, ...person, cli, url }
  await weaken(whole)
  const running = cli.start(['login', '--no-browser'])
  await goTo(whole, await addressOf(running))
  expect((await running.done).code).toBe(0)
  return whole
}

async function enter(scene: SignInWorld, who: string): Promise<Person> {
  const { url } = scene.world.server
  const { browser } = await scene.signIn(account(who, { groups: ['platform'] }), createBrowser())
  const { device } = await addPasskey({ url }, browser)
  return { browser, device }
}

/** As if the last proof had been the sign-in, a while ago. */
const weaken = ({ world }: SignInWorld) =>
  inStore(
    world.store,
    `update login set authentication = authentication ||
      jsonb_build_object('mfa', false, 'phishingResistant', false, 'at', ${Date.now() - 300_000})`,
  )

const addressOf = async (running: Running): Promise<string> =>
  (await running.said(/(http:\S+\/oauth\/authorize\S+)/))[1] ?? ''

const ledTo = ({ headers, at }: Visit): string => new URL(String(headers['location']), at).href

/** Allows what is asked, or not, and goes back to where the command line waits. */
async function goTo({ browser }: Person, address: string, word = 'allow'): Promise<void> {
  const answered = await answer(browser, await browser.open(address), word)
  await browser.step(ledTo(answered))
}

/** With the passkey first. */
async function proveAndGo(person: Person, address: string): Promise<void> {
  const page = await person.browser.open(address)
  expect(new URL(page.at).pathname).toBe('/step-up')
  await goTo(person, ledTo(await proveByPasskey(person.browser, page, person)))
}

const idOf = ({ cli }: Scene): string =>
  (JSON.parse(readFileSync(join(cli.home, '.config/tidegate/login.json'), 'utf8')) as { id: string }).id

const asking = ['request', 'orders-db/writer', '--for', '1h', '--reason', 'Fix OPS-17']

const atTerminal = hasProgram('script', 'apt-get install bsdutils')

/** A browser that does nothing: the test reads the address where people read it. */
const withBrowser = ({ cli }: Scene) => ({ BROWSER: cli.addProgram('a-browser', '') })

test.skipIf(!atTerminal)(
  'at a terminal the browser is opened, the passkey used there, and the command goes on with the same login',
  async () => {
    const scene = await sceneOf()
    const before = idOf(scene)
    const running = scene.cli.startAtTerminal(asking, withBrowser(scene))
    await running.said(/A stronger sign-in is needed: .*passkey/)
    await proveAndGo(scene, await addressOf(running))
    const { code, stdout } = await running.done
    expect(stdout).toContain('It is proved; going on.')
    expect(stdout).toContain('Waiting for')
    expect(code).toBe(4)
    expect(idOf(scene)).toBe(before)
    expect((await scene.cli.run('whoami')).stdout).toContain('resistant to phishing')
    const rows = await inStore(scene.world.store, "select id from login where kind = 'command-line'")
    expect(rows).toEqual([{ id: before }])
  },
)

test.skipIf(!atTerminal)(
  'without a browser a code is shown, typed elsewhere and proved there, and connecting goes on',
  async () => {
    const scene = await sceneOf()
    const { browser, device, url, cli } = scene
    await stepUp(scene, browser, device)
    const app = await addApp({ url, world: { clock: Date } }, browser)
    await weaken(scene)
    const running = cli.startAtTerminal(['connect', 'orders-db/readonly', '--print', '--reason', 'Look into OPS-17'])
    const [, code = ''] = await running.said(/type (\S{4}-\S{4})/)
    const typed = await browser.post(`${url}/device`, new URLSearchParams({ user_code: code }).toString(), {
      origin: url,
    })
    const asked = new URL(ledTo(typed))
    expect(asked.searchParams.get('need')).toBe('mfa')
    const fields = { need: 'mfa', return: String(asked.searchParams.get('return')) }
    // The next of the app's codes: the one of now was spent when it was added.
    const proved = await submit(browser, `${url}/step-up/code`, { ...fields, code: app.codeAt(Date.now() + 30_000) })
    await answer(browser, await browser.open(ledTo(proved)), 'allow')
    const { stdout, code: exit } = await running.done
    expect([exit, stdout]).toEqual([0, expect.stringContaining('postgresql://')])
    expect(stdout.match(/A stronger sign-in is needed/g)).toHaveLength(1)
  },
)

test.skipIf(!atTerminal)('approving, assuming a role and breaking glass do the same', async () => {
  const scene = await sceneOf()
  const wish = { role: 'orders-db/writer', duration: '1h', reason: 'Fix OPS-17' }
  const { id } = await scene.world.as('alice').createRequest(wish)
  const commands = [
    ['assume', 'tidegate/auditor', '--reason', 'Quarterly audit'],
    ['break-glass', 'orders-db/maintainer', '--reason', 'Orders are down'],
    ['approve', id],
  ]
  for (const command of commands) {
    await weaken(scene)
    const running = scene.cli.startAtTerminal(command, withBrowser(scene))
    await proveAndGo(scene, await addressOf(running))
    const { code, stdout } = await running.done
    expect([command[0], code, stdout]).toEqual([command[0], 0, expect.stringContaining('going on')])
  }
})

test('where nobody sits at a terminal it does not wait: it says what to do, and exits with a code of its own', async () => {
  const scene = await sceneOf()
  const plain = await scene.cli.run(...asking)
  expect([plain.code, plain.stdout]).toEqual([9, ''])
  expect(plain.stderr).toContain('tidegate step-up')
  const json = await scene.cli.run('--output', 'json', ...asking)
  expect([json.code, JSON.parse(json.stderr)]).toMatchObject([9, { code: 'step-up-needed' }])
  expect((await scene.cli.run('request', ...asking.slice(1), '--dry-run')).code).toBe(9)
  expect(await inStore(scene.world.store, 'select id from access_request')).toEqual([])
  // Someone does what it says, and it is run again.
  const proving = scene.cli.start(['step-up', '--passkey', '--no-browser'])
  await proveAndGo(scene, await addressOf(proving))
  const proved = await proving.done
  expect([proved.code, proved.stdout]).toEqual([0, expect.stringMatching(/erin@example.com, by .*phishing/)])
  expect((await scene.cli.run(...asking)).code).toBe(4)
})

test.skipIf(!atTerminal)('with --no-step-up, or for JSON, a terminal makes no difference', async () => {
  const scene = await sceneOf()
  const said = await scene.cli.startAtTerminal(['--no-step-up', ...asking]).done
  expect([said.code, said.stdout]).toEqual([9, expect.stringContaining('tidegate step-up')])
  const json = await scene.cli.startAtTerminal(['--output', 'json', ...asking]).done
  expect([json.code, JSON.parse(json.stdout)]).toMatchObject([9, { code: 'step-up-needed' }])
})

test('a no in the browser, and a browser of someone else, change nothing here', async () => {
  const scene = await sceneOf()
  const { cli } = scene
  const refused = cli.start(['step-up', '--no-browser'])
  const page = await scene.browser.open(await addressOf(refused))
  await goTo(scene, ledTo(await proveByPasskey(scene.browser, page, scene)), 'refuse')
  expect((await refused.done).code).toBe(3)
  const other = await enter(scene, 'frank')
  await weaken(scene)
  const elsewhere = cli.start(['step-up', '--passkey', '--no-browser'])
  await proveAndGo({ ...other }, await addressOf(elsewhere))
  const { code, stderr } = await elsewhere.done
  expect([code, stderr]).toEqual([9, expect.stringContaining('The browser is signed in as user:frank@example.com')])
  const me = await cli.run('whoami')
  expect([me.code, me.stdout]).toEqual([0, expect.stringContaining('erin@example.com')])
  const theirs = await inStore(
    scene.world.store,
    "select end_reason from login where kind = 'command-line' and user_id like 'frank%'",
  )
  expect(theirs).toEqual([{ end_reason: 'signed-out' }])
})

test.each([['--no-browser'], ['--device']])('Ctrl-C in the midst of it ends the wait, with %s', async (way) => {
  const scene = await sceneOf()
  const running = scene.cli.start(['step-up', way])
  await running.said(/http:\S+(\/oauth\/authorize|\/device)/)
  running.kill('SIGINT')
  const { code, stderr } = await running.done
  expect([code, stderr]).toEqual([9, expect.stringContaining('It was interrupted before it was proved.')])
  expect((await scene.cli.run('whoami')).code).toBe(0)
})

test('a token gets no stronger, and is told so', async () => {
  const scene = await sceneOf()
  const token = scene.world.tokenOf('alice')
  const { code, stderr } = await scene.cli.start(['step-up'], { TIDEGATE_TOKEN: token }).done
  expect([code, stderr]).toEqual([2, expect.stringContaining('A token gets no stronger.')])
})
