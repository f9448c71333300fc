/** Proofs of a key where clocks do not agree (RFC 9449, sections 7.1, 8 and 9), and what is said to who proves nothing. */

import * as oidc from 'openid-client'
import { expect, test, vi } from 'vitest'
import type { Asker, Tokens } from './support/command-line.ts'
import { callWith, signedInAsker } from './support/command-line.ts'
import type { Answer } from './support/http.ts'
import { send } from './support/http.ts'
import type { Made } from './support/proofs.ts'
import { prover } from './support/proofs.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'

// Each starts a Tidegate, a target and a provider: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

const minute = 60_000
const hour = 60 * minute

type Scene = SignInWorld & Asker & { readonly tokens: Tokens; readonly url: string }

/** A client that was let in, on a machine whose clock is off by so much. */
async function sceneOf(offBy = 0): Promise<Scene> {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const { url } = scene.world.server
  const clock = { now: () => scene.world.clock.now() + offBy }
  return { ...scene, ...(await signedInAsker({ url, clock }, browser)), url }
}

const whoami = async (scene: Scene, { access_token: token } = scene.tokens): Promise<number> =>
  (await callWith(scene, token, new URL('/v1/me', scene.url))).status

test.each([
  ['ahead', hour],
  ['behind', -hour],
])('a client whose clock is an hour %s is let in, calls, and goes on', async (_how, offBy) => {
  const scene = await sceneOf(offBy)
  expect(await whoami(scene)).toBe(200)
  const next = await oidc.refreshTokenGrant(scene.config, scene.tokens.refresh_token as string, undefined, {
    DPoP: scene.handle,
  })
  expect(await whoami(scene, next)).toBe(200)
  // The nonce that it has is over by then: it is given another.
  scene.world.clock.advance(3 * minute)
  expect(await whoami(scene, next)).toBe(200)
})

const challenge = ({ headers }: Answer): unknown => headers['www-authenticate']

test('a nonce is asked for where the time is not now; it is good for two minutes, and its proof once', async () => {
  const scene = await sceneOf()
  const { clock } = scene.world
  const prove = await prover(scene)
  const authorization = `DPoP ${scene.tokens.access_token}`
  const show = (dpop: string) => send(scene.url, { path: '/v1/me', headers: { authorization, dpop } })
  const call = async (made: Made) => show(await prove(made))
  const iat = Math.floor(clock.now() / 1_000) - 3_600
  const off = await call({ claims: { iat } })
  expect([off.status, challenge(off)]).toEqual([
    401,
    'DPoP realm="tidegate", error="use_dpop_nonce", algs="ES256 ES384 Ed25519 EdDSA"',
  ])
  const nonce = String(off.headers['dpop-nonce'])
  const carrying = await prove({ claims: { iat, nonce } })
  expect((await show(carrying)).status).toBe(200)
  expect((await show(carrying)).status).toBe(401)
  clock.advance(2 * minute - 1_000)
  expect((await call({ claims: { iat, nonce } })).status).toBe(200)
  expect((await show(carrying)).status).toBe(401)
  clock.advance(1_000)
  const late = await call({ claims: { iat, nonce } })
  expect([late.status, challenge(late)]).toEqual([401, expect.stringContaining('use_dpop_nonce')])
  expect(late.headers['dpop-nonce']).not.toBe(nonce)
})

test('a nonce that is not ours counts for nothing, not even where the time is right', async () => {
  const scene = await sceneOf()
  const prove = await prover(scene)
  const authorization = `DPoP ${scene.tokens.access_token}`
  const seconds = Math.floor(scene.world.clock.now() / 1_000).toString(36)
  const ahead = Math.floor(scene.world.clock.now() / 1_000 + 3_600).toString(36)
  const made = 'A'.repeat(22)
  for (const nonce of ['', 'x', `${seconds}.${made}`, `${ahead}.${made}`, `.${made}`, 7, null, { nonce: made }]) {
    const dpop = await prove({ claims: { nonce } })
    const answer = await send(scene.url, { path: '/v1/me', headers: { authorization, dpop } })
    expect([answer.status, challenge(answer)]).toEqual([401, expect.stringContaining('use_dpop_nonce')])
  }
})

test('whoever is not known is answered in the scheme that they came by, and no nonce where none would help', async () => {
  const scene = await sceneOf()
  const prove = await prover(scene)
  const { access_token: token } = scene.tokens
  const algorithms = 'algs="ES256 ES384 Ed25519 EdDSA"'
  const told = async (headers: Record<string, string>): Promise<unknown> => {
    const answer = await send(scene.url, { path: '/v1/me', headers })
    expect([answer.status, answer.headers['dpop-nonce']]).toEqual([401, undefined])
    return challenge(answer)
  }
  const nobody = `Bearer realm="tidegate", DPoP realm="tidegate", ${algorithms}`
  const bearer = `Bearer realm="tidegate", error="invalid_token", DPoP realm="tidegate", ${algorithms}`
  const bound = `DPoP realm="tidegate", error="invalid_token", ${algorithms}`
  expect(await told({})).toBe(nobody)
  // What is bound to a key is refused without it, whatever else comes along (section 7.2).
  expect(await told({ authorization: `Bearer ${token}` })).toBe(bearer)
  expect(await told({ authorization: `Bearer ${token}`, dpop: await prove() })).toBe(bearer)
  expect(await told({ authorization: `DPoP ${token}` })).toBe(bound)
  expect(await told({ authorization: `DPoP ${token}`, dpop: 'nonsense' })).toBe(bound)
  expect(await told({ authorization: `dpop ${token}`, dpop: await prove({ claims: { htm: 'POST' } }) })).toBe(bound)
  const unknown = `DPoP tda_${'A'.repeat(43)}`
  expect(await told({ authorization: unknown, dpop: await prove() })).toBe(bound)
})
