/** RFC 7009: whoever holds a token says that it is no longer wanted. */

import * as oidc from 'openid-client'
import { expect, test, vi } from 'vitest'
import type { Asker, Tokens } from './support/command-line.ts'
import { callWith, refusalOf, signedInAsker } from './support/command-line.ts'
import { send } from './support/http.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { inStore } from './support/story.ts'

// Each starts a Tidegate, a target and a provider: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

type Scene = SignInWorld & Asker & { readonly tokens: Tokens; readonly url: string }

async function sceneOf(): Promise<Scene> {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const { url } = scene.world.server
  return { ...scene, ...(await signedInAsker({ url, clock: scene.world.clock }, browser)), url }
}

const whoami = async (scene: Scene, { access_token: token } = scene.tokens): Promise<number> =>
  (await callWith(scene, token, new URL('/v1/me', scene.url))).status

const refresh = ({ config, handle }: Scene, secret: string | undefined): Promise<Tokens> =>
  oidc.refreshTokenGrant(config, secret as string, undefined, { DPoP: handle })

const endsOf = ({ world }: Scene) =>
  inStore(world.store, "select end_reason from login where kind = 'command-line'").then((rows) =>
    rows.map(({ end_reason: reason }) => reason),
  )

test('with its refresh token a login is over, everything that came from it too, and a client needs no key for it', async () => {
  const scene = await sceneOf()
  await oidc.tokenRevocation(scene.config, scene.tokens.refresh_token as string)
  expect(await endsOf(scene)).toEqual(['signed-out'])
  expect(await whoami(scene)).toBe(401)
  expect(await refusalOf(refresh(scene, scene.tokens.refresh_token))).toBe('invalid_grant')
  // Again, and for what never was: it is as it should be.
  await oidc.tokenRevocation(scene.config, scene.tokens.refresh_token as string)
  await oidc.tokenRevocation(scene.config, `tdr_${'A'.repeat(43)}`)
})

test('a refresh token that was just replaced ends the login as well, and one that is long spent is a copy', async () => {
  const scene = await sceneOf()
  await refresh(scene, scene.tokens.refresh_token)
  await oidc.tokenRevocation(scene.config, scene.tokens.refresh_token as string)
  expect(await endsOf(scene)).toEqual(['signed-out'])
  const other = await sceneOf()
  await refresh(other, other.tokens.refresh_token)
  other.world.clock.advance(60_000)
  await oidc.tokenRevocation(other.config, other.tokens.refresh_token as string)
  expect(await endsOf(other)).toEqual(['reused'])
})

test('an access token is over by itself, and the login goes on', async () => {
  const scene = await sceneOf()
  await oidc.tokenRevocation(scene.config, scene.tokens.access_token, { token_type_hint: 'refresh_token' })
  expect(await whoami(scene)).toBe(401)
  expect(await endsOf(scene)).toEqual([null])
  const next = await refresh(scene, scene.tokens.refresh_token)
  expect(await whoami(scene, next)).toBe(200)
})

test('tokens of configuration and of gateways, secrets of browsers, other clients and nonsense end nothing', async () => {
  const scene = await sceneOf()
  const revoke = async (form: Record<string, string>) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = new URLSearchParams(form).toString()
    const { status, text } = await send(scene.url, { method: 'POST', path: '/oauth/revoke', headers, body })
    return [status, (JSON.parse(text) as { error: string }).error]
  }
  const own = { client_id: 'tidegate-cli' }
  for (const token of [scene.world.tokenOf('alice'), `tds_${'A'.repeat(43)}`, `tgw_${'A'.repeat(43)}`, 'nonsense'])
    expect(await revoke({ ...own, token })).toEqual([400, 'unsupported_token_type'])
  const token = scene.tokens.refresh_token as string
  expect(await revoke({ client_id: 'another', token })).toEqual([401, 'invalid_client'])
  expect(await revoke({ token })).toEqual([401, 'invalid_client'])
  expect(await revoke(own)).toEqual([400, 'invalid_request'])
  expect(await whoami(scene)).toBe(200)
  expect((await scene.world.as('alice').whoami({})).principal).toBe('user:alice')
})
