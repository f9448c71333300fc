/** Letting a command line in, in a real browser: its pages, their policies, and the command line itself. */

import type { Page } from 'playwright-core'
import { expect, test, vi } from 'vitest'
import { addDevice, hasChromium, openPage } from './support/chromium.ts'
import type { CommandLine, Running } from './support/command-line-process.ts'
import { commandLineFor } from './support/command-line-process.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { inStore } from './support/story.ts'

// Each starts a Tidegate, a provider, a browser and several processes.
vi.setConfig({ testTimeout: 180_000 })

const isThere = hasChromium()

type Scene = SignInWorld & { readonly page: Page; readonly complaints: string[]; readonly cli: CommandLine }

/** Erin in a browser with a passkey, signed in there; her command line is not. */
async function sceneOf(): Promise<Scene> {
  const scene = await createSignInWorld({ host: 'localhost', time: 'system' })
  const { url } = scene.world.server
  const { page, complaints } = await openPage()
  await addDevice(page)
  scene.provider.signInAs(account('erin', { groups: ['platform'] }))
  await page.goto(`${url}/login?return=/account`)
  await page.getByLabel('What to call it').fill('Laptop')
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  await page.getByRole('heading', { name: 'Recovery codes' }).waitFor()
  return { ...scene, page, complaints, cli: commandLineFor(url) }
}

const addressOf = async (running: Running): Promise<string> =>
  (await running.said(/(http:\S+\/oauth\/authorize\S+)/))[1] ?? ''

const button = (page: Page, name: string) => page.getByRole('button', { name })

/** As if the last proof had been the sign-in, a while ago. */
const weaken = ({ world }: SignInWorld) =>
  inStore(
    world.store,
    `update login set authentication = authentication ||
      jsonb_build_object('mfa', false, 'phishingResistant', false, 'at', ${Date.now() - 300_000})`,
  )

test.skipIf(!isThere)(
  'a command line is let in, proves more, and is told no, and no page is refused anything by its own policy',
  async () => {
    const scene = await sceneOf()
    const { page, complaints, cli } = scene
    const login = cli.start(['login', '--no-browser'])
    await page.goto(await addressOf(login))
    await page.getByText('erin@example.com', { exact: true }).waitFor()
    await button(page, 'Allow').click()
    await page.getByText('Go back to your terminal').waitFor()
    expect((await login.done).code).toBe(0)

    await weaken(scene)
    const stronger = cli.start(['step-up', '--passkey', '--no-browser'])
    await page.goto(await addressOf(stronger))
    await page.getByText('What comes next takes a passkey.').waitFor()
    await button(page, 'Use a passkey').click()
    await page.getByText('With a passkey').waitFor()
    await button(page, 'Allow').click()
    await page.getByText('Go back to your terminal').waitFor()
    expect((await stronger.done).stdout).toContain('resistant to phishing')

    const refused = cli.start(['step-up', '--no-browser'])
    await page.goto(await addressOf(refused))
    await button(page, 'Refuse').click()
    await page.getByText('Go back to your terminal').waitFor()
    expect((await refused.done).code).toBe(3)
    expect(complaints).toEqual([])
  },
)

test.skipIf(!isThere)(
  'a code is typed in a browser elsewhere, in any case, which says who asks, and proves more before it lets them in',
  async () => {
    const scene = await sceneOf()
    const { page, complaints, cli, world } = scene
    const login = cli.start(['login', '--device'])
    const [, code = ''] = await login.said(/type (\S{4}-\S{4})/)
    await page.goto(`${world.server.url}/device`)
    await page.getByLabel('The code').fill(code.toLowerCase())
    await button(page, 'Continue').click()
    await page.getByText(/^tidegate\/\S+ \(/).waitFor()
    await button(page, 'Allow').click()
    await page.getByRole('heading', { name: 'It is let in' }).waitFor()
    expect((await login.done).code).toBe(0)

    await weaken(scene)
    const stronger = cli.start(['step-up', '--passkey', '--device'])
    const [, another = ''] = await stronger.said(/type (\S{4}-\S{4})/)
    await page.goto(`${world.server.url}/device`)
    await page.getByLabel('The code').fill(another)
    await page.keyboard.press('Enter')
    await button(page, 'Use a passkey').click()
    await page.getByText('With a passkey').waitFor()
    await button(page, 'Allow').click()
    await page.getByRole('heading', { name: 'It is let in' }).waitFor()
    expect((await stronger.done).code).toBe(0)
    expect(complaints).toEqual([])
  },
)

test.skipIf(!isThere)('the pages fit a small screen, and say so to who uses no mouse', async () => {
  const scene = await sceneOf()
  const { page, cli, world } = scene
  await page.setViewportSize({ width: 340, height: 600 })
  const login = cli.start(['login', '--no-browser'])
  const pages = [await addressOf(login), `${world.server.url}/device`, `${world.server.url}/account`]
  for (const address of pages) {
    await page.goto(address)
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
    expect([address, overflow]).toEqual([address, 0])
    await page.keyboard.press('Tab')
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
  }
})
