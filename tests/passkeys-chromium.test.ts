/** The ceremonies in a real browser, with Chromium's virtual authenticator: our pages, our script, its checks. */

import { expect, test } from 'vitest'
import { addDevice, hasChromium, openPage } from './support/chromium.ts'
import { inStore } from './support/story.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { createWorldForTest, defaultFiles } from './support/tidegate.ts'

const isThere = hasChromium()

test.skipIf(!isThere)(
  'a passkey is added and used on our pages, nothing on them is refused by their policy, and who is not verified is not let on',
  async () => {
    const { world, provider } = await createSignInWorld({ host: 'localhost' })
    const { url } = world.server
    const { page, complaints } = await openPage()
    const device = await addDevice(page)
    provider.signInAs(account('erin'))
    await page.goto(`${url}/login?return=/account`)
    await page.getByLabel('What to call it').fill('Laptop')
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByRole('heading', { name: 'Recovery codes' }).waitFor()
    expect(await page.getByRole('listitem').count()).toBe(10)
    await page.getByRole('link', { name: 'They are kept' }).click()

    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByText('Laptop').waitFor()
    expect(
      await inStore(world.store, 'select counter > 0 as counted, last_used_at is not null as used from passkey'),
    ).toEqual([{ counted: true, used: true }])

    const { cdp, authenticatorId } = device
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
    world.clock.advance(61_000)
    await page.goto(`${url}/step-up?need=phishing-resistant`)
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByText('Nothing was confirmed').waitFor()
    expect(complaints).toEqual([])
  },
)

test.skipIf(!isThere)(
  'the first administrator joins by the link, whose secret leaves the address bar, and signs in by passkey without a name',
  async () => {
    const world = await createWorldForTest({
      host: 'localhost',
      files: (parts) => [...defaultFiles(parts), { path: 'identity.yaml', text: 'identity: { local: {} }' }],
    })
    const { url, firstLink = '' } = world.server
    const { page, complaints } = await openPage()
    await addDevice(page)
    await page.goto(firstLink)
    expect(page.url()).toBe(`${url}/join`)
    await page.getByRole('button', { name: 'Begin' }).click()
    await page.getByRole('button', { name: 'Join with a passkey' }).click()
    await page.getByRole('heading', { name: 'Recovery codes' }).waitFor()
    await page.getByRole('link', { name: 'They are kept' }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('link', { name: 'Sign in again' }).click()
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
    await page.getByText('You are signed in as admin.').waitFor()
    expect(complaints).toEqual([])
  },
)
