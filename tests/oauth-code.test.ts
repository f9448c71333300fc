/** A command line is let in through a browser, and holds tokens that are worth nothing to anyone else. */

import * as oidc from 'openid-client'
import { expect, test, vi } from 'vitest'
import type { Browser } from './support/browser.ts'
import { createBrowser } from './support/browser.ts'
import type { Asker } from './support/command-line.ts'
import {
  askerAt,
  authorization,
  callWith,
  letIn,
  redeem,
  redirectUri,
  refusalOf,
  signedInAsker,
} from './support/command-line.ts'
import { send } from './support/http.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { entriesOf, everythingIn, inStore } from './support/story.ts'

// Each starts a Tidegate, a target and a provider: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

async function erinAt(scene: SignInWorld): Promise<{ readonly browser: Browser; readonly url: string }> {
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }, { amr: ['mfa'] }))
  return { browser, url: scene.world.server.url }
}

const whoami = async (asker: Asker, token: string, url: string): Promise<number> =>
  (await callWith(asker, token, new URL('/v1/me', url))).status

test('a client that we did not write is let in through the browser of someone who signed in, and is that person', async () => {
  const scene = await createSignInWorld()
  const { world } = scene
  const { browser, url } = await erinAt(scene)
  const asker = await signedInAsker({ url, clock: world.clock }, browser)
  expect(asker.tokens).toMatchObject({
    token_type: 'dpop',
    expires_in: 900,
    access_token: expect.stringMatching(/^tda_[A-Za-z0-9_-]{43}$/),
    refresh_token: expect.stringMatching(/^tdr_[A-Za-z0-9_-]{43}$/),
  })
  const answer = await callWith(asker, asker.tokens.access_token, new URL('/v1/me', url))
  expect(await answer.json()).toMatchObject({
    principal: 'user:erin@example.com',
    groups: ['engineers', 'okta/platform'],
    authentication: { method: 'oidc', mfa: true },
    login: expect.stringMatching(/^lgn_/),
  })
  const everything = await everythingIn(world.store)
  expect(everything).not.toContain(asker.tokens.access_token)
  expect(everything).not.toContain(asker.tokens.refresh_token)
  const started = (await entriesOf(world.admin)).filter(({ type }) => type === 'login.started')
  expect(started.map(({ entry }) => (entry as unknown as { kind: string }).kind)).toEqual(['browser', 'command-line'])
})

test('whoever is not signed in is sent to their provider first, and comes back to the question', async () => {
  const scene = await createSignInWorld()
  const { url } = scene.world.server
  scene.provider.signInAs(account('erin'))
  const asker = await askerAt(url, scene.world.clock)
  const visit = await createBrowser().open((await authorization(asker)).url.href)
  expect([visit.status, new URL(visit.at).pathname]).toEqual([200, '/oauth/authorize'])
  expect(visit.text).toContain('erin@example.com')
})

test('the page says who asks, as whom, from where and until when, and its form may lead to that one port', async () => {
  const scene = await createSignInWorld()
  const { browser, url } = await erinAt(scene)
  const visit = await browser.open((await authorization(await askerAt(url, scene.world.clock))).url.href)
  for (const text of ['127.0.0.1:49152', 'erin@example.com', '127.0.0.1<', 'administer'])
    expect(visit.text).toContain(text)
  const policy = String(visit.headers['content-security-policy'])
  expect(policy).toContain("form-action 'self' http://127.0.0.1:49152;")
  expect(policy).toContain("frame-ancestors 'none'")
})

test('a no goes back as one, and is in the log', async () => {
  const scene = await createSignInWorld()
  const { browser, url } = await erinAt(scene)
  const asker = await askerAt(url, scene.world.clock)
  const sent = await authorization(asker)
  const back = await letIn(browser, sent, 'refuse')
  expect([back.searchParams.get('error'), back.searchParams.get('iss')]).toEqual(['access_denied', url])
  expect(await refusalOf(redeem(asker, back, sent))).toBe('access_denied')
  expect((await entriesOf(scene.world.admin)).map(({ type }) => type)).toContain('login.declined')
})

test('the answer counts only from the page itself', async () => {
  const scene = await createSignInWorld()
  const { browser, url } = await erinAt(scene)
  const { search } = (await authorization(await askerAt(url, scene.world.clock))).url
  const body = `${search.slice(1)}&answer=allow`
  const post = (headers: Record<string, string>) => browser.post(`${url}/oauth/authorize`, body, headers)
  for (const headers of [{}, { origin: 'https://evil.example' }, { origin: url, 'sec-fetch-site': 'cross-site' }])
    expect((await post(headers)).status).toBe(403)
  expect(await inStore(scene.world.store, 'select 1 from authorization_code')).toEqual([])
  const stranger = await createBrowser().post(`${url}/oauth/authorize`, body, { origin: url })
  expect(stranger.status).toBe(401)
})

test.each([
  ['another client', { client_id: 'someone-else' }],
  ['another machine', { redirect_uri: 'http://evil.example:1/callback' }],
  ['a name that could be another machine', { redirect_uri: 'http://localhost:1/callback' }],
  ['a user in front of the machine', { redirect_uri: 'http://127.0.0.1:80@evil.example/callback' }],
  ['another path', { redirect_uri: 'http://127.0.0.1:1/elsewhere' }],
  ['TLS', { redirect_uri: 'https://127.0.0.1:1/callback' }],
  ['no port', { redirect_uri: 'http://127.0.0.1/callback' }],
  ['no way back', { redirect_uri: '' }],
])('with %s nobody is sent anywhere', async (_what, change) => {
  const scene = await createSignInWorld()
  const { browser, url } = await erinAt(scene)
  const sent = await authorization(await askerAt(url, scene.world.clock))
  for (const [name, value] of Object.entries(change)) sent.url.searchParams.set(name, value)
  const visit = await browser.step(sent.url.href)
  expect([visit.status, visit.headers['location']]).toEqual([400, undefined])
})

test.each([
  ['a plain challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
  ['no challenge', { code_challenge: '' }, 'invalid_request'],
  ['a token instead of a code', { response_type: 'token' }, 'unsupported_response_type'],
  ['a key that is none', { dpop_jkt: 'short' }, 'invalid_request'],
])('with %s the program is told, and the person not asked', async (_what, change, error) => {
  const scene = await createSignInWorld()
  const { browser, url } = await erinAt(scene)
  const sent = await authorization(await askerAt(url, scene.world.clock))
  for (const [name, value] of Object.entries(change)) sent.url.searchParams.set(name, value)
  const back = new URL(String((await browser.step(sent.url.href)).headers['location']))
  expect(Object.fromEntries(back.searchParams)).toEqual({ error, state: sent.state, iss: url })
})

test('a code is good once: the second time ends what came of the first', async () => {
  const scene = await createSignInWorld()
  const { browser, url } = await erinAt(scene)
  const asker = await askerAt(url, scene.world.clock)
  const sent = await authorization(asker)
  const back = await letIn(browser, sent)
  const tokens = await redeem(asker, back, sent)
  expect(await whoami(asker, tokens.access_token, url)).toBe(200)
  expect(await refusalOf(redeem(asker, back, sent))).toBe('invalid_grant')
  expect(await whoami(asker, tokens.access_token, url)).toBe(401)
  expect(await inStore(scene.world.store, "select end_reason from login where kind = 'command-line'")).toEqual([
    { end_reason: 'reused' },
  ])
})

test('a code is worth nothing with another verifier, another key, another way back, or after a minute', async () => {
  const scene = await createSignInWorld()
  const { world } = scene
  const { browser, url } = await erinAt(scene)
  const asker = await askerAt(url, world.clock)
  const another = await askerAt(url, world.clock)
  const coded = async () => {
    const sent = await authorization(asker)
    return { sent, back: await letIn(browser, sent) }
  }
  const verifier = await coded()
  expect(await refusalOf(redeem(asker, verifier.back, { ...verifier.sent, verifier: 'x'.repeat(43) }))).toBe(
    'invalid_grant',
  )
  // It is spent by that, too.
  expect(await refusalOf(redeem(asker, verifier.back, verifier.sent))).toBe('invalid_grant')
  const key = await coded()
  expect(await refusalOf(redeem(another, key.back, key.sent))).toBe('invalid_grant')
  const way = await coded()
  const elsewhere = new URL(way.back)
  elsewhere.port = '49153'
  expect(await refusalOf(redeem(asker, elsewhere, way.sent))).toBe('invalid_grant')
  const late = await coded()
  world.clock.advance(60_000)
  const later = await askerAt(url, world.clock, asker.key)
  expect(await refusalOf(redeem(later, late.back, late.sent))).toBe('invalid_grant')
  expect(await inStore(world.store, "select id from login where kind = 'command-line'")).toEqual([])
})

test('a code is worth nothing once who allowed it is signed out', async () => {
  const scene = await createSignInWorld()
  const { browser, url } = await erinAt(scene)
  const asker = await askerAt(url, scene.world.clock)
  const sent = await authorization(asker)
  const back = await letIn(browser, sent)
  await browser.post(`${url}/logout`, '', { origin: url })
  expect(await refusalOf(redeem(asker, back, sent))).toBe('invalid_grant')
})

test('an answer of another server is not taken for ours', async () => {
  const scene = await createSignInWorld()
  const { browser, url } = await erinAt(scene)
  const asker = await askerAt(url, scene.world.clock)
  const sent = await authorization(asker)
  const back = await letIn(browser, sent)
  back.searchParams.set('iss', 'https://evil.example')
  await expect(redeem(asker, back, sent)).rejects.toMatchObject({ code: 'OAUTH_INVALID_RESPONSE' })
  back.searchParams.delete('iss')
  await expect(redeem(asker, back, sent)).rejects.toMatchObject({ code: 'OAUTH_INVALID_RESPONSE' })
})

test('without a proof of a key, or in the name of another client, or with a secret, nobody gets anything', async () => {
  const scene = await createSignInWorld()
  const { browser, url } = await erinAt(scene)
  const asker = await askerAt(url, scene.world.clock)
  const sent = await authorization(asker)
  const back = await letIn(browser, sent)
  const noKey = oidc.authorizationCodeGrant(asker.config, back, {
    pkceCodeVerifier: sent.verifier,
    expectedState: sent.state,
  })
  expect(await refusalOf(noKey)).toBe('invalid_dpop_proof')
  const form = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
    send(url, {
      method: 'POST',
      path: '/oauth/token',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams(fields).toString(),
    })
  const base = {
    grant_type: 'authorization_code',
    client_id: 'tidegate-cli',
    code: back.searchParams.get('code') as string,
    code_verifier: sent.verifier,
    redirect_uri: redirectUri,
  }
  const errors = [
    await form({ ...base, client_id: 'another' }),
    await form({ ...base, client_secret: 'x' }),
    await form(base, { authorization: 'Basic dGlkZWdhdGUtY2xpOg==' }),
    await form({ ...base, grant_type: 'password' }),
    await form({ ...base, grant_type: 'constructor' }),
    await form({}),
  ]
  expect(errors.map(({ status, text }) => [status, JSON.parse(text).error])).toEqual([
    [401, 'invalid_client'],
    [401, 'invalid_client'],
    [401, 'invalid_client'],
    [400, 'unsupported_grant_type'],
    [400, 'unsupported_grant_type'],
    [400, 'invalid_request'],
  ])
})
