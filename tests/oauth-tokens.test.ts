/** Tokens of a command line: bound to its key, short, and over with its login. */

import type { JWK } from 'jose'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import * as oidc from 'openid-client'
import { createHash } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import type { Asker, Tokens } from './support/command-line.ts'
import { askerAt, callWith, refusalOf, signedInAsker } from './support/command-line.ts'
import { send } from './support/http.ts'
import type { Made } from './support/proofs.ts'
import { prover } from './support/proofs.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { inStore } from './support/story.ts'

// Each starts a Tidegate, a target and a provider: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

const minute = 60_000

type Scene = SignInWorld & Asker & { readonly tokens: Tokens; readonly url: string }

async function sceneOf(claims: Record<string, unknown> = { groups: ['platform'] }): Promise<Scene> {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin', claims))
  const { url } = scene.world.server
  return { ...scene, ...(await signedInAsker({ url, clock: scene.world.clock }, browser)), url }
}

/** With the clock as it is now: the one of a client is set when it is made. */
const now = async ({ url, world, key }: Scene): Promise<Asker> => askerAt(url, world.clock, key)

const whoami = async (scene: Scene, token = scene.tokens.access_token): Promise<number> =>
  (await callWith(await now(scene), token, new URL('/v1/me', scene.url))).status

const refresh = async (scene: Scene, secret: string | undefined): Promise<Tokens> => {
  const { config, handle } = await now(scene)
  return oidc.refreshTokenGrant(config, secret as string, undefined, { DPoP: handle })
}

const show = async (scene: Scene, headers: Record<string, string>): Promise<number> =>
  (await send(scene.url, { path: '/v1/me', headers })).status

test('a proof is good once, for one method, one address, one token and one moment', async () => {
  const scene = await sceneOf()
  const prove = await prover(scene)
  const authorization = `DPoP ${scene.tokens.access_token}`
  const call = async (made: Made): Promise<number> => show(scene, { authorization, dpop: await prove(made) })
  expect(await call({})).toBe(200)
  const once = await prove()
  expect(await show(scene, { authorization, dpop: once })).toBe(200)
  expect(await show(scene, { authorization, dpop: once })).toBe(401)
  expect(await call({ claims: { htu: `${scene.url}/v1/me?a=b#c` } })).toBe(200)
  const seconds = Math.floor(scene.world.clock.now() / 1_000)
  const refused: Made[] = [
    { claims: { htm: 'POST' } },
    { claims: { htu: `${scene.url}/v1/grants` } },
    { claims: { htu: 'https://evil.example/v1/me' } },
    { claims: { htu: undefined } },
    { claims: { ath: createHash('sha256').update('another').digest('base64url') } },
    { claims: { ath: undefined } },
    { claims: { jti: undefined } },
    { claims: { jti: 'x'.repeat(201) } },
    { claims: { iat: seconds - 121 } },
    { claims: { iat: seconds + 62 } },
    { claims: { iat: undefined } },
    { header: { typ: 'JWT' } },
    { header: { jwk: undefined } },
  ]
  expect(await Promise.all(refused.map(call))).toEqual(refused.map(() => 401))
  // Within what clocks are off by.
  expect(await call({ claims: { iat: seconds - 100 } })).toBe(200)
  expect(await call({ claims: { iat: seconds + 50 } })).toBe(200)
})

test('a stolen token is worth nothing without its key, and nothing as a bearer token', async () => {
  const scene = await sceneOf()
  const prove = await prover(scene)
  const authorization = `DPoP ${scene.tokens.access_token}`
  const thief = await generateKeyPair('ES256', { extractable: true })
  const theirs = await exportJWK(thief.publicKey)
  const withTheirs = await prove({ key: thief.privateKey, header: { jwk: theirs } })
  const withOurName = await prove({ key: thief.privateKey })
  const secret = new TextEncoder().encode('a secret that the thief knows, too')
  const symmetric: JWK = { kty: 'oct', k: Buffer.from(secret).toString('base64url') }
  const claims = { jti: 'x', htm: 'GET', htu: `${scene.url}/v1/me`, iat: Math.floor(scene.world.clock.now() / 1_000) }
  const bySecret = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'dpop+jwt', jwk: symmetric })
    .sign(secret)
  const proofs = [withTheirs, withOurName, bySecret, new UnsecuredJWT(claims).encode(), 'nonsense', '']
  for (const dpop of proofs) expect(await show(scene, { authorization, dpop })).toBe(401)
  expect(await show(scene, { authorization })).toBe(401)
  expect(await show(scene, { authorization: `Bearer ${scene.tokens.access_token}` })).toBe(401)
  expect(await show(scene, { authorization: `Bearer ${scene.tokens.access_token}`, dpop: await prove() })).toBe(401)
  expect(await show(scene, { authorization: `DPoP ${scene.tokens.refresh_token}`, dpop: await prove() })).toBe(401)
  // Nor does the proof of a key at the token endpoint help with another's refresh token.
  const another = { ...scene, key: thief }
  expect(await refusalOf(refresh(another, scene.tokens.refresh_token))).toBe('invalid_grant')
  expect(await whoami(scene)).toBe(200)
})

test('a proof that was used at the token endpoint is not good there again', async () => {
  const scene = await sceneOf()
  const prove = await prover(scene)
  const dpop = await prove({ claims: { htm: 'POST', htu: `${scene.url}/oauth/token`, ath: undefined } })
  const body = `grant_type=refresh_token&client_id=tidegate-cli&refresh_token=${scene.tokens.refresh_token}`
  const headers = { 'content-type': 'application/x-www-form-urlencoded', dpop }
  const ask = () => send(scene.url, { method: 'POST', path: '/oauth/token', headers, body })
  expect((await ask()).status).toBe(200)
  expect(JSON.parse((await ask()).text).error).toBe('invalid_dpop_proof')
})

test('an access token is over after a quarter of an hour, and the next one comes with another refresh token', async () => {
  const scene = await sceneOf()
  scene.world.clock.advance(15 * minute - 1)
  expect(await whoami(scene)).toBe(200)
  scene.world.clock.advance(1)
  expect(await whoami(scene)).toBe(401)
  const next = await refresh(scene, scene.tokens.refresh_token)
  expect(next.refresh_token).not.toBe(scene.tokens.refresh_token)
  expect(await whoami(scene, next.access_token)).toBe(200)
})

test('whoever lost the answer asks again and gets the same; after a minute a token that was spent ends the login', async () => {
  const scene = await sceneOf()
  const [one, two] = await Promise.all([
    refresh(scene, scene.tokens.refresh_token),
    refresh(scene, scene.tokens.refresh_token),
  ])
  const again = await refresh(scene, scene.tokens.refresh_token)
  expect(two.refresh_token).toBe(one.refresh_token)
  expect(again.refresh_token).toBe(one.refresh_token)
  expect(new Set([one, two, again].map((tokens) => tokens.access_token)).size).toBe(3)
  const next = await refresh(scene, one.refresh_token)
  scene.world.clock.advance(minute)
  expect(await whoami(scene, next.access_token)).toBe(200)
  expect(await refusalOf(refresh(scene, one.refresh_token))).toBe('invalid_grant')
  expect(await whoami(scene, next.access_token)).toBe(401)
  expect(await refusalOf(refresh(scene, next.refresh_token))).toBe('invalid_grant')
  expect(await inStore(scene.world.store, "select end_reason from login where kind = 'command-line'")).toEqual([
    { end_reason: 'reused' },
  ])
})

test('a login of a command line lasts no longer than the browser’s that let it in', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin'))
  const { url } = scene.world.server
  for (let hour = 0; hour < 11; hour++) {
    scene.world.clock.advance(59 * minute)
    await browser.call(`${url}/v1/me`)
  }
  const asker = { ...scene, ...(await signedInAsker({ url, clock: scene.world.clock }, browser)), url }
  scene.world.clock.advance(70 * minute)
  expect((await refresh(asker, asker.tokens.refresh_token)).expires_in).toBe(900)
  scene.world.clock.advance(minute)
  expect(await refusalOf(refresh(asker, asker.tokens.refresh_token))).toBe('invalid_grant')
})

test('a logout at the provider ends the command line and what was opened through it', async () => {
  const scene = await sceneOf()
  const { config, handle } = await now(scene)
  const body = JSON.stringify({ role: 'orders-db/readonly', duration: '1h', reason: 'Look at order 7' })
  const headers = new Headers({ 'content-type': 'application/json' })
  const at = new URL('/v1/access', scene.url)
  const answer = await oidc.fetchProtectedResource(config, scene.tokens.access_token, at, 'POST', body, headers, {
    DPoP: handle,
  })
  const { grant } = (await answer.json()) as { grant: { id: string } }
  await scene.sendLogout(await scene.logoutToken({ sub: 'erin' }))
  expect(await whoami(scene)).toBe(401)
  expect(await refusalOf(refresh(scene, scene.tokens.refresh_token))).toBe('invalid_grant')
  await scene.world.server.drain()
  const rows = await inStore(scene.world.store, `select state, end_reason from access_grant where id = '${grant.id}'`)
  expect(rows).toEqual([{ state: 'ended', end_reason: 'fact-changed' }])
})

test('it is listed, outlives a browser that signs out, and is ended by itself', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin'))
  const { url } = scene.world.server
  const asker = { ...scene, ...(await signedInAsker({ url, clock: scene.world.clock }, browser)), url }
  const listed = JSON.parse((await browser.call(`${url}/v1/logins`)).text).items as { id: string; kind: string }[]
  const own = listed.find(({ kind }) => kind === 'command-line')
  await browser.post(`${url}/logout`, '', { origin: url })
  expect(await whoami(asker)).toBe(200)
  await scene.world.admin.endLogin({ id: own?.id as string })
  expect(await whoami(asker)).toBe(401)
})

test.each([
  ['its cookie was used by two', 'reused'],
  ['an administrator ended it', 'ended'],
])('a command line ends with the browser that let it in where %s', async (_why, reason) => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin'))
  const { url } = scene.world.server
  const asker = { ...scene, ...(await signedInAsker({ url, clock: scene.world.clock }, browser)), url }
  const [{ id } = { id: '' }] = (await inStore(scene.world.store, "select id from login where kind = 'browser'")) as {
    id: string
  }[]
  if (reason === 'ended') await scene.world.admin.endLogin({ id })
  else {
    const cookie = `__Host-tidegate=${browser.cookies.get(new URL(url).host)?.get('__Host-tidegate')}`
    const old = () => send(url, { path: '/v1/me', headers: { cookie, 'x-tidegate-request': '1' } })
    scene.world.clock.advance(10 * minute)
    expect((await old()).status).toBe(200)
    scene.world.clock.advance(minute)
    expect((await old()).status).toBe(401)
  }
  expect(await whoami(asker)).toBe(401)
  const rows = await inStore(scene.world.store, 'select distinct end_reason from login')
  expect(rows).toEqual([{ end_reason: reason }])
})
