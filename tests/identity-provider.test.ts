/** What a provider sends is believed only as the specifications say: whoever stands in for it, or breaks it, signs nobody in. */

import type { JWTPayload } from 'jose'
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { expect, test, vi } from 'vitest'
import { createBrowser } from './support/browser.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { inStore } from './support/story.ts'

// Each starts a Tidegate, a target and a provider: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

type Forging = (claims: JWTPayload, world: SignInWorld) => Promise<string> | string

const signed = (claims: JWTPayload, { provider }: SignInWorld): Promise<string> => {
  const { privateKey, kid } = provider.key()
  return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid }).sign(privateKey)
}

const seconds = (world: SignInWorld): number => Math.floor(world.world.clock.now() / 1_000)

/** The provider's token answer with another ID token in it. */
async function signInWith(world: SignInWorld, forge: Forging): Promise<number> {
  const {
    provider,
    world: { server },
  } = world
  provider.signInAs(account('erin'))
  const browser = createBrowser()
  let visit = await browser.step(`${server.url}/login/okta`)
  let forged = ''
  // Made when the nonce of this very sign-in is known, as whoever sits at the provider knows it.
  const nonce = new URL(String(visit.headers['location'])).searchParams.get('nonce') ?? ''
  const now = seconds(world)
  const claims = {
    iss: provider.issuer,
    aud: provider.clientId,
    sub: 'erin',
    nonce,
    iat: now,
    exp: now + 300,
    auth_time: now,
  }
  forged = await forge(claims, world)
  provider.tamper((path, body) =>
    path === '/token' ? JSON.stringify({ ...JSON.parse(body), id_token: forged }) : undefined,
  )
  while (!visit.at.includes('/login/callback/'))
    visit = await browser.step(new URL(String(visit.headers['location']), visit.at).href)
  provider.tamper(undefined)
  return visit.status
}

test('an ID token that is made as the provider makes it signs someone in: what the next ones lack is what they are refused for', async () => {
  const world = await createSignInWorld()
  expect(await signInWith(world, signed)).toBe(303)
})

const forgeries: Record<string, Forging> = {
  'of another nonce': (claims, world) => signed({ ...claims, nonce: 'another' }, world),
  'without a nonce': ({ nonce: _nonce, ...claims }, world) => signed(claims, world),
  'of another issuer': (claims, world) => signed({ ...claims, iss: 'https://evil.example' }, world),
  'for another client': (claims, world) => signed({ ...claims, aud: 'another' }, world),
  'for us and, by its own word, another': (claims, world) =>
    signed({ ...claims, aud: ['tidegate', 'another'], azp: 'another' }, world),
  'that has expired': (claims, world) =>
    signed({ ...claims, iat: seconds(world) - 600, exp: seconds(world) - 60 }, world),
  'that is not good yet': (claims, world) => signed({ ...claims, nbf: seconds(world) + 120 }, world),
  'without an end': ({ exp: _exp, ...claims }, world) => signed(claims, world),
  'without a subject': ({ sub: _sub, ...claims }, world) => signed(claims, world),
  'that nobody signed': (claims) => new UnsecuredJWT(claims).encode(),
  'signed with the secret of the client': (claims, { provider }) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(provider.secret.padEnd(32, 'x'))),
  'signed with a key of somebody else': async (claims, { provider }) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: provider.key().kid })
      .sign((await generateKeyPair('RS256')).privateKey),
  'whose signature is cut': async (claims, world) => (await signed(claims, world)).slice(0, -8),
  'whose claims were changed after signing': async (claims, world) => {
    const [head, , signature] = (await signed(claims, world)).split('.')
    return [head, Buffer.from(JSON.stringify({ ...claims, sub: 'dora' })).toString('base64url'), signature].join('.')
  },
  'that is none': () => 'nonsense',
}

test.each(Object.entries(forgeries))('an ID token %s signs nobody in', async (_what, forge) => {
  const world = await createSignInWorld()
  expect(await signInWith(world, forge)).toBe(400)
  expect(await inStore(world.world.store, 'select id from login')).toEqual([])
})

test('clocks may differ by half a minute, and by no more', async () => {
  const world = await createSignInWorld()
  const endedBy =
    (by: number): Forging =>
    (claims, it) =>
      signed({ ...claims, iat: seconds(it) - 300, exp: seconds(it) - by }, it)
  expect(await signInWith(world, endedBy(20))).toBe(303)
  expect(await signInWith(world, endedBy(40))).toBe(400)
})

test('a key that the provider changes while someone is there is followed at once, and the one before is believed no more', async () => {
  const world = await createSignInWorld()
  const before = world.provider.key()
  expect((await world.signIn(account('erin'))).visit.status).toBe(200)
  await world.provider.rotateKeys()
  expect((await world.signIn(account('erin'))).visit.status).toBe(200)
  const withOldKey: Forging = (claims) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: before.kid }).sign(before.privateKey)
  expect(await signInWith(world, withOldKey)).toBe(400)
})

test('an answer that says it is from another issuer is refused before its code is spent', async () => {
  const { world, provider } = await createSignInWorld()
  provider.signInAs(account('erin'))
  const browser = createBrowser()
  let visit = await browser.step(`${world.server.url}/login/okta`)
  while (!String(visit.headers['location']).includes('/login/callback/'))
    visit = await browser.step(new URL(String(visit.headers['location']), visit.at).href)
  const mixed = new URL(String(visit.headers['location']))
  expect(mixed.searchParams.get('iss')).toBe(provider.issuer)
  mixed.searchParams.set('iss', 'https://evil.example')
  const asked = provider.paths.length
  expect((await browser.step(mixed.href)).status).toBe(400)
  expect(provider.paths.slice(asked).filter((path) => path === '/token')).toEqual([])
})

test('what the provider says elsewhere of somebody else is not taken for what it says of the one who signed in', async () => {
  const world = await createSignInWorld()
  world.provider.tamper((path) =>
    path === '/me' ? JSON.stringify({ sub: 'dora', email: 'dora@example.com', email_verified: true }) : undefined,
  )
  expect((await world.signIn(account('erin'))).visit.status).toBe(400)
})

test('a provider that is down signs nobody in, says so, and is asked anew', async () => {
  const world = await createSignInWorld()
  world.provider.tamper(() => 'not what it was asked for')
  const { visit } = await world.signIn(account('erin'))
  expect([visit.status, visit.text.includes('okta cannot be reached')]).toEqual([503, true])
  world.provider.tamper(undefined)
  expect((await world.signIn(account('erin'))).visit.status).toBe(200)
})

test('the secret of the client stands in no address, page or answer', async () => {
  const world = await createSignInWorld()
  const { visit } = await world.signIn(account('erin'))
  const secret = world.provider.secret
  expect([...world.provider.paths, visit.text, visit.at].filter((text) => text.includes(secret))).toEqual([])
})
