/** RFC 8628, with a client that we did not write: who asks, who answers, and what neither can do. */

import * as oidc from 'openid-client'
import { expect, test, vi } from 'vitest'
import type { Browser, Visit } from './support/browser.ts'
import { createBrowser } from './support/browser.ts'
import { answer, askerAt, callWith, refusalOf } from './support/command-line.ts'
import type { Asker } from './support/command-line.ts'
import { send } from './support/http.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { entriesOf } from './support/story.ts'

// Each starts a Tidegate, a target and a provider: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

type Scene = SignInWorld & { readonly browser: Browser; readonly asker: Asker; readonly url: string }

async function sceneOf(): Promise<Scene> {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin'))
  const { url } = scene.world.server
  return { ...scene, browser, url, asker: await askerAt(url, scene.world.clock) }
}

const begin = async ({ asker }: Scene, bound = true) =>
  oidc.initiateDeviceAuthorization(asker.config, bound ? { dpop_jkt: await asker.handle.calculateThumbprint() } : {})

/** One question, without waiting: the library's own polling sleeps. */
const poll = ({ asker }: Scene, code: string) =>
  oidc.genericGrantRequest(
    asker.config,
    'urn:ietf:params:oauth:grant-type:device_code',
    { device_code: code },
    { DPoP: asker.handle },
  )

const type = ({ browser, url }: Scene, code: string): Promise<Visit> =>
  browser.post(`${url}/device`, new URLSearchParams({ user_code: code }).toString(), { origin: url })

test('a code that a person types where they are signed in lets a client in, which finds out by asking', async () => {
  const scene = await sceneOf()
  const begun = await begin(scene)
  expect(begun).toMatchObject({
    user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
    verification_uri: `${scene.url}/device`,
    expires_in: 600,
    interval: 5,
  })
  expect(begun.verification_uri_complete).toBeUndefined()
  expect((await scene.browser.open(begun.verification_uri)).text).toContain('name="user_code"')
  expect(await refusalOf(poll(scene, begun.device_code))).toBe('authorization_pending')
  const shown = await type(scene, begun.user_code.toLowerCase().replace('-', ' '))
  for (const text of ['openid-client', '127.0.0.1', 'erin@example.com', '0 s ago']) expect(shown.text).toContain(text)
  expect((await answer(scene.browser, shown, 'allow')).text).toContain('It is let in')
  // The library's own way, which waits for as long as it was told.
  const tokens = await oidc.pollDeviceAuthorizationGrant(scene.asker.config, { ...begun, interval: 0.01 }, undefined, {
    DPoP: scene.asker.handle,
  })
  const me = await callWith(scene.asker, tokens.access_token, new URL('/v1/me', scene.url))
  expect(await me.json()).toMatchObject({ principal: 'user:erin@example.com', authentication: { method: 'oidc' } })
})

test('a no is told to who asked, and is in the log with where it came from', async () => {
  const scene = await sceneOf()
  const begun = await begin(scene)
  const refused = await answer(scene.browser, await type(scene, begun.user_code), 'refuse')
  expect(refused.text).toContain('It is not let in')
  expect(await refusalOf(poll(scene, begun.device_code))).toBe('access_denied')
  const entry = (await entriesOf(scene.world.admin)).find(({ type: kind }) => kind === 'login.declined')
  expect(entry?.entry).toMatchObject({ by: 'device' })
})

test('who asks too often is told to wait longer, each time', async () => {
  const scene = await sceneOf()
  const { device_code: code } = await begin(scene)
  const after = async (ms: number): Promise<string> => {
    scene.world.clock.advance(ms)
    return refusalOf(poll({ ...scene, asker: await askerAt(scene.url, scene.world.clock, scene.asker.key) }, code))
  }
  expect(await after(0)).toBe('authorization_pending')
  expect(await after(5_000)).toBe('authorization_pending')
  expect(await after(4_000)).toBe('slow_down')
  expect(await after(9_000)).toBe('slow_down')
  expect(await after(15_000)).toBe('authorization_pending')
})

test('it is over after ten minutes, for who asked and for who would answer', async () => {
  const scene = await sceneOf()
  const begun = await begin(scene)
  scene.world.clock.advance(10 * 60_000)
  const asker = await askerAt(scene.url, scene.world.clock, scene.asker.key)
  expect(await refusalOf(poll({ ...scene, asker }, begun.device_code))).toBe('expired_token')
  expect((await type(scene, begun.user_code)).status).toBe(400)
})

test('it is good once: who asks a second time ends what came of the first', async () => {
  const scene = await sceneOf()
  const begun = await begin(scene)
  await answer(scene.browser, await type(scene, begun.user_code), 'allow')
  const tokens = await poll(scene, begun.device_code)
  const me = async () => (await callWith(scene.asker, tokens.access_token, new URL('/v1/me', scene.url))).status
  expect(await me()).toBe(200)
  expect(await refusalOf(poll(scene, begun.device_code))).toBe('invalid_grant')
  expect(await me()).toBe(401)
})

test('a stolen device code is worth nothing without the key that was named with it', async () => {
  const scene = await sceneOf()
  const begun = await begin(scene)
  await answer(scene.browser, await type(scene, begun.user_code), 'allow')
  const thief = { ...scene, asker: await askerAt(scene.url, scene.world.clock) }
  expect(await refusalOf(poll(thief, begun.device_code))).toBe('invalid_grant')
  expect((await poll(scene, begun.device_code)).expires_in).toBe(900)
})

test('a code that was answered, one that is over, one that never was and nonsense are told alike', async () => {
  const scene = await sceneOf()
  const answered = await begin(scene)
  await answer(scene.browser, await type(scene, answered.user_code), 'refuse')
  const codes = [answered.user_code, 'BBBB-BBBB', 'AEIO-UAEI', '', 'x'.repeat(500)]
  const visits = await Promise.all(codes.map((code) => type(scene, code)))
  expect(new Set(visits.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
  expect(visits[0]?.status).toBe(400)
})

test('whoever guesses codes is soon told to wait, and the page takes answers from itself alone', async () => {
  const scene = await sceneOf()
  const { browser, url } = scene
  const statuses: number[] = []
  for (let guess = 0; guess < 12; guess++) statuses.push((await type(scene, 'BBBB-BBBB')).status)
  expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 400))
  expect(statuses.at(-1)).toBe(429)
  expect((await browser.post(`${url}/device`, 'user_code=BBBBBBBB', { origin: 'https://evil.example' })).status).toBe(
    403,
  )
  expect((await createBrowser().post(`${url}/device`, 'user_code=BBBBBBBB', { origin: url })).status).toBe(401)
})

test('asking for a code takes the name of our client, and nothing else', async () => {
  const scene = await sceneOf()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const ask = (body: string) => send(scene.url, { method: 'POST', path: '/oauth/device_authorization', headers, body })
  const answers = [
    await ask('client_id=another'),
    await ask('client_id=tidegate-cli&client_id=tidegate-cli'),
    await ask('client_id=tidegate-cli&dpop_jkt=short'),
  ]
  expect(answers.map(({ text }) => JSON.parse(text).error)).toEqual([
    'invalid_client',
    'invalid_request',
    'invalid_request',
  ])
  expect((await begin(scene, false)).expires_in).toBe(600)
})
