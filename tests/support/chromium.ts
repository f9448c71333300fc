/** The Chromium of the machine, with its virtual authenticator, and whatever it complains about. */

import { chromium } from 'playwright-core'
import type { CDPSession, Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { hasProgram } from './programs.ts'

const path = '/usr/bin/chromium'

export const hasChromium = (): boolean => hasProgram(path, 'apt-get install chromium')

/** @property complaints what its console says: what a page's policy forbids, too */
export async function openPage(): Promise<{ readonly page: Page; readonly complaints: string[] }> {
  const browser = await chromium.launch({ executablePath: path, args: ['--no-sandbox', '--disable-gpu'] })
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  page.setDefaultTimeout(60_000)
  const complaints: string[] = []
  page.on('console', (message) => void complaints.push(message.text()))
  page.on('pageerror', (error) => void complaints.push(error.message))
  return { page, complaints }
}

export type Device = { readonly cdp: CDPSession; readonly authenticatorId: string }

export async function addDevice(page: Page): Promise<Device> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('WebAuthn.enable')
  const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true } as const
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { ...options, isUserVerified: true, automaticPresenceSimulation: true },
  })
  return { cdp, authenticatorId }
}
