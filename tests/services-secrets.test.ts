/** Services that no platform vouches for: keys of their own, and where nothing else goes, secrets with an end. */

import { createHash } from 'node:crypto'
import type { CryptoKey, JWK, JWTPayload } from 'jose'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, test, vi } from 'vitest'
import { outcomeOf } from './support/access.ts'
import { entriesOf, everythingIn } from './support/story.ts'
import type { Workloads } from './support/workloads.ts'
import { accessType, createWorkloads, exchangeGrant, usualRule } from './support/workloads.ts'

// Each starts a Tidegate and a target: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

const withSecrets = () => createWorkloads({ service: () => 'secrets: { longest: 30d }' })

const basic = (id: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
})

const asking = { grant_type: 'client_credentials' }

test('a secret is made by whoever answers for the service, shown once, kept as its hash, and lets the service in', async () => {
  const { world, post, clientOf } = await withSecrets()
  const { secret, about } = await world.as('carol').createServiceSecret({ service: 'deploy', lasts: '7d' })
  expect(secret).toMatch(/^tdk_[A-Za-z0-9_-]{43}$/)
  expect(await everythingIn(world.store)).not.toContain(secret)
  const posted = await post({ ...asking, client_id: 'deploy', client_secret: secret })
  const inHeader = await post(asking, basic('deploy', secret))
  for (const { status, body } of [posted, inHeader]) {
    expect(status).toBe(200)
    expect(await clientOf(body.access_token).whoami({})).toMatchObject({
      principal: 'service:deploy',
      authentication: { method: 'secret', mfa: false },
    })
  }
  const [listed] = (await world.as('carol').listServiceSecrets({ service: 'deploy' })).items
  expect(listed).toMatchObject({ id: about.id, madeBy: 'user:carol' })
  expect(listed?.lastUsedAt).toBeDefined()
})

test('nobody else makes, sees or revokes one, and configuration has to allow it, and how long', async () => {
  const { world } = await withSecrets()
  const wish = { service: 'deploy', lasts: '7d' }
  const { about } = await world.as('carol').createServiceSecret(wish)
  expect(await outcomeOf(world.as('alice').createServiceSecret(wish))).toBe('not-found')
  expect(await outcomeOf(world.as('sam').createServiceSecret(wish))).toBe('forbidden')
  expect(await outcomeOf(world.as('alice').revokeServiceSecret({ id: about.id }))).toBe('not-found')
  expect(await outcomeOf(world.as('sam').revokeServiceSecret({ id: about.id }))).toBe('forbidden')
  expect(await outcomeOf(world.as('alice').listServiceSecrets({ service: 'deploy' }))).toBe('not-found')
  expect(await outcomeOf(world.as('carol').createServiceSecret({ service: 'ci', lasts: '7d' }))).toBe('forbidden')
  expect(await outcomeOf(world.as('dora').createServiceSecret({ ...wish, lasts: '31d' }))).toBe('invalid-input')
})

test('two are good at a time, for changing from one to the other, also when three are made at one moment', async () => {
  const { world } = await withSecrets()
  const make = () => outcomeOf(world.as('dora').createServiceSecret({ service: 'deploy', lasts: '7d' }))
  expect((await Promise.all([make(), make(), make()])).toSorted()).toEqual(['done', 'done', 'secret-limit'])
  const [one] = (await world.as('dora').listServiceSecrets({ service: 'deploy' })).items
  await world.as('dora').revokeServiceSecret({ id: one?.id ?? '' })
  expect(await make()).toBe('done')
})

test('a secret that is revoked, or over, or allowed no more, lets nobody in, nor do the logins it was used for', async () => {
  const { world, post, clientOf, apply } = await withSecrets()
  const make = () => world.as('dora').createServiceSecret({ service: 'deploy', lasts: '1h' })
  const [{ secret: first, about }, { secret: second }] = [await make(), await make()]
  const signIn = async (secret: string) =>
    (await post({ ...asking, client_id: 'deploy', client_secret: secret })).body.access_token
  const [byFirst, bySecond] = [clientOf(await signIn(first)), clientOf(await signIn(second))]
  await world.as('dora').revokeServiceSecret({ id: about.id })
  expect(await signIn(first)).toBeUndefined()
  expect(await outcomeOf(byFirst.whoami({}))).toBe('unauthenticated')
  expect(await outcomeOf(bySecond.whoami({}))).toBe('done')
  const entry = (await entriesOf(world.admin)).find(({ type }) => type === 'service-secret.revoked')
  expect(entry?.entry).toMatchObject({ service: 'deploy', logins: 1 })
  await apply((files) => files.map(({ path, text }) => ({ path, text: text.replace('secrets: { longest: 30d }', '') })))
  expect(await signIn(second)).toBeUndefined()
  expect(await outcomeOf(bySecond.whoami({}))).toBe('unauthenticated')
  await apply((files) => files)
  // Its login ends with it, before its own time.
  world.clock.advance(50 * 60_000)
  const { body } = await post({ ...asking, client_id: 'deploy', client_secret: second })
  expect(body.expires_in).toBe(600)
  world.clock.advance(10 * 60_000)
  expect(await signIn(second)).toBeUndefined()
})

test('whether a service is there, has a secret, or has another, is answered in the same words', async () => {
  const { world, post } = await withSecrets()
  const { secret } = await world.as('dora').createServiceSecret({ service: 'deploy', lasts: '7d' })
  const answers = await Promise.all(
    [
      ['deploy', secret.replace(/^tdk_./, (start) => (start === 'tdk_A' ? 'tdk_B' : 'tdk_A'))],
      ['deploy', 'x'],
      ['ci', secret],
      ['nobody', secret],
      ['user:dora', secret],
    ].map(([id = '', shown = '']) => post({ ...asking, client_id: id, client_secret: shown })),
  )
  expect(new Set(answers.map(({ status, body }) => JSON.stringify({ status, body }))).size).toBe(1)
  expect(answers[0]).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
  const both = await post({ ...asking, client_id: 'deploy', client_secret: secret }, basic('deploy', secret))
  expect(both.status).toBe(401)
})

type Own = Workloads & { readonly sign: (more?: JWTPayload, key?: CryptoKey) => Promise<string> }

async function withKey(): Promise<Own> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = JSON.stringify(await exportJWK(publicKey))
  const from = await createWorkloads({ service: () => `keys: [{ jwk: ${jwk}, expires: '2099-01-01T00:00:00Z' }]` })
  return {
    ...from,
    sign: (more = {}, key = privateKey) => {
      const now = Math.floor(from.world.clock.now() / 1_000)
      const claims = { iss: 'deploy', sub: 'deploy', aud: from.world.server.url, jti: crypto.randomUUID(), iat: now }
      return new SignJWT({ ...claims, exp: now + 60, ...more }).setProtectedHeader({ alg: 'ES256' }).sign(key)
    },
  }
}

const asserting = (assertion: string) => ({
  ...asking,
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: assertion,
})

test('a service signs with its own key, for this server alone, once', async () => {
  const { world, post, sign, clientOf } = await withKey()
  const assertion = await sign()
  const { status, body } = await post(asserting(assertion))
  expect(status).toBe(200)
  expect(await clientOf(body.access_token).whoami({})).toMatchObject({
    principal: 'service:deploy',
    authentication: { method: 'key' },
  })
  const now = Math.floor(world.clock.now() / 1_000)
  const stranger = (await generateKeyPair('ES256')).privateKey
  const refused = [
    assertion,
    await sign({ aud: 'https://elsewhere.example' }),
    await sign({ aud: [world.server.url, 'https://elsewhere.example'] }),
    await sign({ sub: 'ci' }),
    await sign({ iss: 'ci', sub: 'ci' }),
    await sign({ iat: now - 331, exp: now + 60 }),
    await sign({ exp: now - 31 }),
    await sign({ jti: '' }),
    await sign({}, stranger),
  ]
  const answers = await Promise.all(refused.map((one) => post(asserting(one))))
  expect(answers.map(({ status: code, body: { error } }) => `${code} ${error}`)).toEqual(
    refused.map(() => '401 invalid_client'),
  )
  expect((await post({ ...asserting(await sign()), client_id: 'ci' })).status).toBe(401)
})

test('a key that configuration takes back, or that is over, ends what it was used for', async () => {
  const { world, post, sign, clientOf, apply } = await withKey()
  const service = clientOf((await post(asserting(await sign()))).body.access_token)
  await apply((files) => files.map(({ path, text }) => ({ path, text: text.replace(/keys: \[.*\]/, 'keys: []') })))
  expect(await outcomeOf(service.whoami({}))).toBe('unauthenticated')
  expect((await post(asserting(await sign()))).status).toBe(401)
  await apply((files) => files)
  world.clock.set(Date.UTC(2099, 0, 1))
  expect((await post(asserting(await sign()))).status).toBe(401)
})

test('a token of the platform is a client’s assertion, too', async () => {
  const { issuer, claims, post, clientOf } = await createWorkloads()
  const { body } = await post({ ...asserting(await issuer.sign(claims())), client_id: 'deploy' })
  expect(await clientOf(body.access_token).whoami({})).toMatchObject({ authentication: { method: 'federation' } })
  expect((await post(asserting(await issuer.sign(claims({ repository_id: '72' }))))).status).toBe(401)
})

type Holder = { readonly privateKey: CryptoKey; readonly jwk: JWK; readonly thumbprint: string }

async function makeHolder(): Promise<Holder> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(publicKey)
  return { privateKey, jwk, thumbprint: await calculateJwkThumbprint(jwk) }
}

type Proving = { readonly url: string; readonly method: string; readonly now: number; readonly token?: string }

const prove = ({ privateKey, jwk }: Holder, { url, method, now, token }: Proving): Promise<string> =>
  new SignJWT({
    jti: crypto.randomUUID(),
    htm: method,
    htu: url,
    iat: Math.floor(now / 1_000),
    ...(token !== undefined && { ath: createHash('sha256').update(token).digest('base64url') }),
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
    .sign(privateKey)

test('who proves a key with its exchange gets a token for that key: whoever else has it has nothing', async () => {
  const { world, issuer, claims, post, clientOf } = await createWorkloads()
  const { url } = world.server
  const holder = await makeHolder()
  const now = world.clock.now()
  const subject = {
    subject_token: await issuer.sign(claims()),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  }
  const dpop = await prove(holder, { url: `${url}/oauth/token`, method: 'POST', now })
  const { body } = await post({ grant_type: exchangeGrant, ...subject }, { dpop })
  expect(body.token_type).toBe('DPoP')
  const token = body.access_token ?? ''
  expect(await outcomeOf(clientOf(token).whoami({}))).toBe('unauthenticated')
  const call = async (by: Holder): Promise<number> => {
    const proof = await prove(by, { url: `${url}/v1/me`, method: 'GET', now, token })
    return (await fetch(`${url}/v1/me`, { headers: { authorization: `DPoP ${token}`, dpop: proof } })).status
  }
  expect(await call(holder)).toBe(200)
  expect(await call(await makeHolder())).toBe(401)
})

test('an agent of a service gets its token by an exchange, and is bound to the run that its service is bound to', async () => {
  const from = await createWorkloads({
    more: 'agents: [{ id: deployer, service: deploy }, { id: helper, user: alice }]',
    rule: usualRule,
  })
  const { issuer, claims, exchange, post, clientOf, world } = from
  const token = (await exchange(await issuer.sign(claims()))).body.access_token ?? ''
  const forAgent = { grant_type: exchangeGrant, subject_token: token, subject_token_type: accessType }
  const { body } = await post({ ...forAgent, client_id: 'deployer' })
  expect(body).toMatchObject({ issued_token_type: accessType, token_type: 'Bearer' })
  const agent = clientOf(body.access_token)
  expect(await agent.whoami({})).toMatchObject({
    principal: 'agent:deployer',
    actsFor: ['service:deploy'],
    authentication: { method: 'delegation', run: 'github/8/1' },
  })
  for (const id of ['helper', 'nobody', 'deploy']) expect((await post({ ...forAgent, client_id: id })).status).toBe(400)
  expect((await post({ ...forAgent, subject_token: 'tdm_x', client_id: 'deployer' })).status).toBe(400)
  expect((await post({ ...forAgent, client_id: 'deployer', audience: 'https://elsewhere.example' })).body.error).toBe(
    'invalid_target',
  )
  expect((await post({ ...forAgent, client_id: 'deployer', scope: 'all' })).body.error).toBe('invalid_scope')
  const ofAlice = { ...forAgent, subject_token: world.tokenOf('alice'), client_id: 'helper' }
  expect(await clientOf((await post(ofAlice)).body.access_token).whoami({})).toMatchObject({ actsFor: ['user:alice'] })
  await clientOf(token).endRun({})
  expect(await outcomeOf(agent.whoami({}))).toBe('unauthenticated')
})
