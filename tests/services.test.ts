/** Services without stored secrets: whoever is not exactly whom configuration trusts is nobody. */

import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import type { JWTPayload } from 'jose'
import { expect, test, vi } from 'vitest'
import type { Millis } from '@tidegate/core'
import { logIn, opened, outcomeOf, permitted } from './support/access.ts'
import { startIssuer } from './support/issuer.ts'
import { entriesOf, everythingIn, inStore } from './support/story.ts'
import type { Workloads } from './support/workloads.ts'
import { audience, createWorkloads, usualRule } from './support/workloads.ts'

// Each starts a Tidegate and a target: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

test('a token of the platform is exchanged for a short one of ours, and the service works in its own name', async () => {
  const { world, issuer, claims, exchange, clientOf } = await createWorkloads()
  const { status, body } = await exchange(await issuer.sign(claims()))
  expect({ status, ...body }).toMatchObject({
    status: 200,
    token_type: 'Bearer',
    expires_in: 900,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  })
  expect(body.access_token).toMatch(/^tdm_[A-Za-z0-9_-]{43}$/)
  const service = clientOf(body.access_token)
  expect(await service.whoami({})).toMatchObject({
    principal: 'service:deploy',
    authentication: { method: 'federation', run: 'github/8/1' },
  })
  const { credential } = await opened(service)
  await (await logIn(credential)).query('select 1')
  const entry = (await entriesOf(world.admin)).find(({ type }) => type === 'machine-login.started')
  expect(entry).toMatchObject({
    entry: { method: 'federation', run: 'github/8/1', bound: false },
    disclosed: { '/principal': 'service:deploy', '/subject': 'repo:octo/app:environment:production' },
  })
  expect(await everythingIn(world.store)).not.toContain(body.access_token)
})

type Forging = (from: Workloads) => Promise<string> | string

const saying =
  (more: JWTPayload): Forging =>
  ({ issuer, claims }) =>
    issuer.sign(claims(more))

const without =
  (name: string): Forging =>
  ({ issuer, claims }) => {
    const { [name]: _gone, ...rest } = claims()
    return issuer.sign(rest)
  }

const later =
  (more: (now: number) => JWTPayload): Forging =>
  (from) =>
    saying(more(Math.floor(from.world.clock.now() / 1_000)))(from)

const forgeries: Record<string, Forging> = {
  'for another audience': saying({ aud: 'https://elsewhere.example' }),
  'for us and another': saying({ aud: [audience, 'https://elsewhere.example'] }),
  'for an audience that begins like ours': saying({ aud: `${audience}.evil.example` }),
  'without an audience': without('aud'),
  'of another issuer': saying({ iss: 'https://token.actions.githubusercontent.com' }),
  'of an issuer that looks like ours': (from) => saying({ iss: `${from.issuer.url}/` })(from),
  'of a repository of the same name': saying({ repository_id: '72' }),
  'of a repository whose id begins alike': saying({ repository_id: '711' }),
  'of several repositories': saying({ repository_id: ['71'] }),
  'of another environment': saying({ environment: 'staging' }),
  'of no environment': without('environment'),
  'that does not say which run it is': without('run_id'),
  'whose run is no text of its own': saying({ run_id: '8/1' }),
  'that has expired': later((now) => ({ iat: now - 300, nbf: now - 300, exp: now - 31 })),
  'that is not good yet': later((now) => ({ nbf: now + 31 })),
  'made in the future': later((now) => ({ iat: now + 31 })),
  'older than configuration takes it': later((now) => ({ iat: now - 16 * 60, exp: now + 3_600 })),
  'without an end': without('exp'),
  'without its time': without('iat'),
  'without a subject': without('sub'),
  'that a person signs in with': saying({ nonce: 'n' }),
  'of another kind': ({ issuer, claims }) => issuer.sign(claims(), { typ: 'logout+jwt' }),
  'that nobody signed': ({ claims }) => new UnsecuredJWT(claims()).encode(),
  'signed with the public key as a secret': ({ issuer, claims }) =>
    new SignJWT(claims())
      .setProtectedHeader({ alg: 'HS256', kid: issuer.key().jwk.kid ?? '' })
      .sign(new TextEncoder().encode(JSON.stringify(issuer.key().jwk))),
  'signed with a key of somebody else under the same name': async ({ issuer, claims }) =>
    new SignJWT(claims())
      .setProtectedHeader({ alg: 'ES256', kid: issuer.key().jwk.kid ?? '' })
      .sign((await generateKeyPair('ES256')).privateKey),
  'that brings its own key': async ({ claims }) => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    return new SignJWT(claims()).setProtectedHeader({ alg: 'ES256', jwk: await exportJWK(publicKey) }).sign(privateKey)
  },
  'of another issuer about the same subject': async ({ claims }) => (await startIssuer()).sign(claims()),
  'changed after it was signed': async ({ issuer, claims }) => {
    const [header, , signature] = (await issuer.sign(claims({ repository_id: '72' }))).split('.')
    return [header, Buffer.from(JSON.stringify(claims())).toString('base64url'), signature].join('.')
  },
  'that is far too long': ({ issuer, claims }) => issuer.sign(claims({ more: 'x'.repeat(9_000) })),
  'that is none': () => 'nonsense',
}

test('a token that is not exactly as it must be is refused, always in the same words, and gives nothing', async () => {
  const from = await createWorkloads()
  const bodies = new Set<string>()
  const statuses: Record<string, number> = {}
  for (const [what, forge] of Object.entries(forgeries)) {
    const { status, body } = await from.exchange(await forge(from))
    statuses[what] = status
    bodies.add(JSON.stringify(body))
    // The throttle is not what is looked at here.
    if (status === 429) throw new Error('too often')
  }
  expect(Object.entries(statuses).filter(([, status]) => status !== 400)).toEqual([])
  expect(bodies.size).toBe(1)
  expect([...bodies][0]).toContain('invalid_grant')
  expect(await inStore(from.world.store, 'select * from machine_login')).toEqual([])
  // What its issuer did sign for us is on record, with whose it was, and how often.
  const refused = (await entriesOf(from.world.admin)).filter(({ type }) => type === 'machine-login.refused')
  expect(refused.map(({ entry }) => entry['cause'])).toEqual(refused.map(() => 'untrusted'))
  const [{ times } = {}] = await inStore(from.world.store, 'select times from refusal')
  expect([refused.length, Number(times) > 5]).toEqual([5, true])
})

test('a clock that is off by less than half a minute is no reason to refuse', async () => {
  const { world, issuer, claims, exchange } = await createWorkloads()
  const now = Math.floor(world.clock.now() / 1_000)
  expect((await exchange(await issuer.sign(claims({ iat: now + 29, nbf: now + 29 })))).status).toBe(200)
  expect((await exchange(await issuer.sign(claims({ iat: now - 300, nbf: now - 300, exp: now - 29 })))).status).toBe(
    200,
  )
})

test('a token counts once, also where it has no id, also on another server, also at one moment', async () => {
  const { world, issuer, claims, exchange } = await createWorkloads()
  const token = await issuer.sign(claims())
  const { jti: _none, ...nameless } = claims()
  const plain = await issuer.sign(nameless)
  const another = await world.startAnother()
  const there = async (subject: string): Promise<number> => {
    const form = { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token: subject }
    const type = { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }
    const body = new URLSearchParams({ ...form, ...type })
    return (await fetch(`${another.url}/oauth/token`, { method: 'POST', body })).status
  }
  for (const one of [token, plain]) {
    const statuses = await Promise.all([exchange(one), exchange(one)].map(async (each) => (await each).status))
    expect(statuses.toSorted()).toEqual([200, 400])
    expect(await there(one)).toBe(400)
  }
  // Signed again it is the same token, by its id.
  const claimed = claims()
  expect((await exchange(await issuer.sign(claimed))).status).toBe(200)
  expect((await exchange(await issuer.sign(claimed))).status).toBe(400)
})

test('an issuer changes its keys in mid-flight: the new one counts at once, and the old one does not any more', async () => {
  const { world, issuer, claims, exchange } = await createWorkloads()
  expect((await exchange(await issuer.sign(claims()))).status).toBe(200)
  const old = await issuer.sign(claims())
  await issuer.rotate()
  // Asked so often and no more, whoever makes up names of keys.
  expect((await exchange(await issuer.sign(claims()))).status).toBe(400)
  const before = issuer.asked.length
  world.clock.advance(30_000)
  expect((await exchange(await issuer.sign(claims()))).status).toBe(200)
  expect((await exchange(old)).status).toBe(400)
  for (const kid of ['a', 'b', 'c']) expect((await exchange(await issuer.sign(claims(), { kid }))).status).toBe(400)
  expect(issuer.asked.length - before).toBe(2)
})

test.each<[what: string, answer: { status: number; body: string }]>([
  ['is down', { status: 503, body: '' }],
  ['sends us elsewhere', { status: 302, body: 'http://127.0.0.1:1/' }],
  [
    'says that it is another',
    { status: 200, body: JSON.stringify({ issuer: 'https://x.example', jwks_uri: 'https://x.example' }) },
  ],
  ['answers without an end', { status: 200, body: `{"keys":[${'1,'.repeat(200_000)}1]}` }],
  ['answers nonsense', { status: 200, body: 'nonsense' }],
])('where the issuer %s nobody is believed, and kept keys are not used for ever', async (_what, answer) => {
  const { world, issuer, claims, exchange } = await createWorkloads()
  expect((await exchange(await issuer.sign(claims()))).status).toBe(200)
  issuer.answer(() => answer)
  expect((await exchange(await issuer.sign(claims()))).status).toBe(200)
  world.clock.advance(10 * 60_000)
  expect((await exchange(await issuer.sign(claims()))).status).toBe(400)
  issuer.answer(undefined)
  expect((await exchange(await issuer.sign(claims()))).status).toBe(200)
})

test('whatever a login rests on is looked at each time: a rule that is gone, or another, ends it', async () => {
  const { signIn, apply } = await createWorkloads()
  const service = await signIn()
  expect(await outcomeOf(service.whoami({}))).toBe('done')
  await apply((files) =>
    files.map(({ path, text }) => ({ path, text: text.replace('environment: production', 'environment: staging') })),
  )
  expect(await outcomeOf(service.whoami({}))).toBe('unauthenticated')
  await apply((files) => files)
  expect(await outcomeOf(service.whoami({}))).toBe('done')
})

test('a login is over by its time, and where several services trust it, it says which it is', async () => {
  const { world, issuer, claims, exchange, clientOf } = await createWorkloads({
    more: `  - { id: other, trust: [${usualRule.replace('boundTo: run', 'lasts: 1h')}] }`,
  })
  expect((await exchange(await issuer.sign(claims()))).status).toBe(400)
  const { body } = await exchange(await issuer.sign(claims()), { client_id: 'other' })
  const other = clientOf(body.access_token)
  expect(await other.whoami({})).toMatchObject({ principal: 'service:other' })
  expect((await exchange(await issuer.sign(claims()), { client_id: 'ci' })).status).toBe(400)
  world.clock.advance(3_600_000)
  expect(await outcomeOf(other.whoami({}))).toBe('unauthenticated')
})

test('a grant of a run is that run’s alone: no other activates it, and it ends when the run says that it is over', async () => {
  const { world, signIn } = await createWorkloads()
  const [run, sameRun] = [await signIn(), await signIn()]
  const others = [await signIn({ run_id: '9' }), await signIn({ run_attempt: '2' })]
  const id = await permitted(run)
  for (const other of others) expect(await outcomeOf(other.activateGrant({ id }))).toBe('forbidden')
  const { credential } = await sameRun.activateGrant({ id })
  const session = await logIn(credential)
  const waiting = await permitted(run)
  const ofOther = await opened(others[0] as typeof run)
  expect(await outcomeOf((others[0] as typeof run).extendGrant({ id, duration: '1h', reason: 'More' }))).toBe(
    'forbidden',
  )
  expect(await run.endRun({})).toEqual({ run: 'github/8/1', loginsEnded: 2, grantsEnded: 2 })
  await world.server.drain()
  await session.cut
  for (const one of [id, waiting])
    expect(await world.admin.getGrant({ id: one })).toMatchObject({ state: 'ended', end: { reason: 'task-ended' } })
  for (const gone of [run, sameRun]) expect(await outcomeOf(gone.whoami({}))).toBe('unauthenticated')
  expect((await world.admin.getGrant({ id: ofOther.grant.id })).state).toBe('active')
})

test('a run that says nothing ends with its last login: what was bound to it ends within a minute', async () => {
  const { world, signIn } = await createWorkloads({ world: { background: true, reaskEvery: 50 as Millis } })
  const { grant, credential } = await opened(await signIn())
  const session = await logIn(credential)
  world.clock.advance(10 * 60_000)
  // It proved again who it is: the first of its logins is over soon, and the run is not.
  const again = await signIn()
  world.clock.advance(6 * 60_000)
  expect(await outcomeOf(again.activateGrant({ id: grant.id }))).toBe('done')
  world.clock.advance(10 * 60_000)
  await session.cut
  expect(await world.admin.getGrant({ id: grant.id })).toMatchObject({ end: { reason: 'task-ended' } })
})

test('what a service proved gets no stronger: where policy wants more it is refused, and not sent to prove it', async () => {
  const { apply, signIn } = await createWorkloads()
  const text = `
@id("asking-takes-a-second-factor")
forbid (principal, action == Action::"access", resource) when { !context.authentication.mfa };`
  await apply((files) => [...files, { path: 'stronger.cedar', text }])
  const service = await signIn()
  const request = await service.createRequest({ role: 'orders-db/readonly', duration: '30m', reason: 'Deploy' })
  expect([request.status, request.decision.outcome]).toEqual(['denied', 'step-up'])
})
