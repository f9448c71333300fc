/** Policy wants a stronger sign-in for some steps: whoever can give one is told which, and nothing has happened yet. */

import type { Client } from '@tidegate/api'
import { beforeAll, afterAll, describe, expect, test } from 'vitest'
import { outcomeOf } from './support/access.ts'
import { clientByCookie } from './support/by-cookie.ts'
import { send } from './support/http.ts'
import { loginOf } from './support/sign-in.ts'
import { inStore } from './support/story.ts'
import type { Files, Parts } from './support/tidegate.ts'
import { createWorld, defaultFiles } from './support/tidegate.ts'

const identity = `
identity:
  providers:
    - { id: okta, issuer: 'http://127.0.0.1:1', clientId: tidegate, clientSecret: env:NONE, domains: [example.com] }
`

const policies = `
@id("reading") @max_duration("8h")
permit (principal, action == Action::"access", resource) when { resource.risk == "low" };

@id("writing") @approvers("team-leads")
permit (principal, action == Action::"access", resource) when { resource.risk == "elevated" };

@id("asking-to-maintain-takes-a-passkey") @max_duration("1h")
permit (principal, action == Action::"access", resource)
when { resource.risk == "admin" && context.authentication.phishing_resistant && context.authentication.age < 900 };

@id("connecting-takes-a-second-factor")
forbid (principal, action == Action::"access", resource in Label::"service=orders")
when { context.step == "connect" && !context.authentication.mfa };

@id("approving-takes-a-passkey")
forbid (principal, action == Action::"access", resource in Label::"service=orders")
when { context has approver && !context.approver.phishing_resistant };
`

const files = (parts: Parts): Files => [
  ...defaultFiles(parts).filter(({ path }) => path !== 'access.cedar'),
  { path: 'access.cedar', text: policies },
  { path: 'identity.yaml', text: identity },
]

let world: Awaited<ReturnType<typeof createWorld>>
beforeAll(async () => void (world = await createWorld({ files })))
afterAll(() => world.stop())

type Proof = { readonly mfa: boolean; readonly phishingResistant: boolean }

/** @param proof of the sign-in, now */
async function signedIn(user: string, proof: Proof = { mfa: false, phishingResistant: false }): Promise<Client> {
  const secret = await loginOf(world, user)
  await prove(user, proof)
  return clientByCookie(world.server.url, secret)
}

/** As a step-up leaves the login. */
const prove = (user: string, proof: Proof) =>
  inStore(
    world.store,
    `update login set authentication = authentication || '${JSON.stringify({ ...proof, at: world.clock.now() })}'
     where user_id = '${user}' and ended_at is null`,
  )

const key: Proof = { mfa: true, phishingResistant: true }
const code: Proof = { mfa: true, phishingResistant: false }

const wish = (role: string) => ({ role: `orders-db/${role}`, duration: '30m', reason: 'Look into OPS-17' })

describe('to request', () => {
  test('whoever signed in is told with what to sign in again, as RFC 9470 says it, and nothing was filed', async () => {
    const secret = await loginOf(world, 'alice')
    const answer = await send(world.server.url, {
      method: 'POST',
      path: '/v1/requests',
      headers: { cookie: `__Host-tidegate=${secret}`, 'x-tidegate-request': '1', origin: world.server.url },
      body: JSON.stringify(wish('maintainer')),
    })
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe(
      'Bearer realm="tidegate", error="insufficient_user_authentication", ' +
        'error_description="Sign in again with a passkey or security key.", acr_values="phr", max_age="60"',
    )
    expect(JSON.parse(answer.text)).toMatchObject({
      code: 'step-up-needed',
      decision: { outcome: 'step-up', need: 'phishing-resistant' },
    })
    expect(await inStore(world.store, `select id from access_request where role = 'maintainer'`)).toEqual([])
  })

  test('once it is strong enough the same call is granted', async () => {
    const alice = await signedIn('alice', key)
    expect((await alice.createRequest(wish('maintainer'))).status).toBe('approved')
  })

  test('whoever has only a token is refused: a token gets no stronger', async () => {
    const refused = await world.as('alice').createRequest(wish('maintainer'))
    expect([refused.status, refused.decision.outcome]).toEqual(['denied', 'step-up'])
  })
})

describe('to connect', () => {
  test('asking is granted, and opening wants more; what is open goes on when the proof is old', async () => {
    const alice = await signedIn('alice')
    const { grant } = await alice.createRequest(wish('readonly'))
    const id = grant ?? ''
    expect(await outcomeOf(alice.activateGrant({ id }))).toBe('step-up-needed')
    expect((await alice.getGrant({ id })).state).toBe('ready')
    const stronger = await signedIn('alice', code)
    expect((await stronger.activateGrant({ id })).grant.state).toBe('active')
    await inStore(world.store, `update access_grant set authentication = authentication || '{"mfa": false}'`)
    world.clock.advance(61_000)
    await world.server.drain()
    expect((await stronger.getGrant({ id })).state).toBe('active')
    await stronger.endGrant({ id })
  })

  test('asking and opening in one is held to what opening takes', async () => {
    const bob = await signedIn('bob')
    const refused = await bob.openAccess(wish('readonly')).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'step-up-needed', details: { decision: { need: 'mfa' } } })
    const [request] = (await bob.listRequests({})).items
    expect(request).toMatchObject({ status: 'approved' })
    const { grant, credential } = await (await signedIn('bob', code)).openAccess(wish('readonly'))
    expect([grant?.state, credential?.kind]).toEqual(['active', 'postgres-login'])
  })
})

describe('to approve', () => {
  test('an approver’s yes wants a passkey of theirs, whatever the requester proved; their no does not', async () => {
    const alice = await signedIn('alice', key)
    const carol = await signedIn('carol', code)
    const { id } = await alice.createRequest(wish('writer'))
    const refused = await carol.approveRequest({ id }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'step-up-needed', details: { decision: { need: 'phishing-resistant' } } })
    expect((await alice.getRequest({ id })).approvals).toEqual([])
    expect(await outcomeOf(world.as('carol').approveRequest({ id }))).toBe('policy-refuses')
    await prove('carol', key)
    expect((await carol.approveRequest({ id })).status).toBe('approved')
    const { id: other } = await alice.createRequest(wish('writer'))
    await prove('carol', code)
    expect((await carol.denyRequest({ id: other })).status).toBe('denied')
  })
})
