/** A Tidegate to which people and machines come in every way there is, and the hands that do it for them. */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { JSONWebKeySet } from 'jose'
import { importJWK, SignJWT } from 'jose'
import { Secret, TOTP } from 'otpauth'
import type { Call } from './calls.ts'
import { createCaller } from './calls.ts'
import type { BenchOptions } from './harness.ts'
import { inParallel, numbers } from './harness.ts'
import type { Code, Listening } from './identity-provider.ts'
import type { Stand } from './stand.ts'
import { quietSettings, setUp } from './stand.ts'

type Provider = Listening & { readonly stop: () => Promise<void> }

export type IdentityStand = Stand & {
  readonly call: Call
  /** Through the provider. @returns the cookie */
  readonly signIn: (person: number) => Promise<string>
  /** By password and a code of an app, each time one that was not used: twice for each. @returns the cookie */
  readonly signInByPassword: (attempt: number) => Promise<string>
  /** Tokens of a platform, made ahead. */
  readonly platformTokens: (count: number) => Promise<readonly string[]>
  /** As the platform publishes them. */
  readonly platformKeys: JSONWebKeySet
  readonly exchange: (token: string) => Promise<string>
  /** By a secret. @returns the token */
  readonly signInService: () => Promise<string>
}

export const audience = 'https://tidegate.example'

const localUser = (n: number): string => `local-${n}`

const identityText = ({ issuer, clientId }: Listening, localUsers: number): string => `
identity:
  local: {}
  providers: [{ id: idp, issuer: '${issuer}', clientId: ${clientId}, clientSecret: env:IDP_SECRET, domains: [example.com] }]
  issuers: [{ id: platform, platform: other, issuer: '${issuer}' }]
users: [${numbers(localUsers)
  .map((n) => `{ id: ${localUser(n)} }`)
  .join(', ')}]
services:
  - { id: federated, owner: dora, trust: [{ issuer: platform, audience: '${audience}', claims: { sub: job-1 } }] }
  - { id: secretive, owner: dora, secrets: { longest: 30d } }
`

/** @param localUsers with an account and a password here */
export async function setUpIdentity(options: BenchOptions, localUsers: number): Promise<IdentityStand> {
  const provider = await startProvider()
  try {
    // Each caller comes from an address of its own, as people do: what holds floods from one off is not what is measured.
    const settings = { ...quietSettings, IDP_SECRET: 'bench', TIDEGATE_PROXIES: '127.0.0.1' }
    const stand = await setUp(options, settings, (resource) => `${resource}\n${identityText(provider, localUsers)}`)
    try {
      return await withWays(stand, provider, localUsers)
    } catch (error) {
      await stand.close()
      throw error
    }
  } catch (error) {
    await provider.stop()
    throw error
  }
}

async function startProvider(): Promise<Provider> {
  const file = fileURLToPath(new URL('./identity-provider.ts', import.meta.url))
  const child = fork(file, [], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  const [listening] = (await once(child, 'message')) as [Listening]
  return {
    ...listening,
    async stop() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}

async function withWays(stand: Stand, provider: Provider, localUsers: number): Promise<IdentityStand> {
  const { call, close } = createCaller(stand.server.url)
  const { secret } = await stand.administrator.createServiceSecret({ service: 'secretive', lasts: '1d' })
  const apps = await inParallel(numbers(localUsers), 4, (n) => join(stand, call, localUser(n)))
  const key = await importJWK(provider.key.private, 'RS256')
  return {
    ...stand,
    call,
    signIn: (person) => signInAtProvider(call, person),
    async signInByPassword(attempt) {
      const user = attempt % localUsers
      const code = apps[user]?.(attempt < localUsers ? 0 : 1) ?? ''
      const form = { user: localUser(user), password, code }
      return (await call({ method: 'POST', path: '/login/local/password', headers: ownPage(stand), form })).cookie
    },
    platformTokens: (count) =>
      inParallel(numbers(count), 4, () =>
        new SignJWT({})
          .setProtectedHeader({ alg: 'RS256', kid: provider.key.id, typ: 'JWT' })
          .setIssuer(provider.issuer)
          .setSubject('job-1')
          .setAudience(audience)
          .setJti(crypto.randomUUID())
          .setIssuedAt()
          .setExpirationTime('10m')
          .sign(key),
      ),
    platformKeys: { keys: [provider.key.public] },
    exchange: (token) =>
      obtain(call, {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      }),
    signInService: () =>
      obtain(call, { grant_type: 'client_credentials', client_id: 'secretive', client_secret: secret }),
    async close() {
      close()
      await stand.close()
      await provider.stop()
    },
  }
}

const ownPage = ({ server }: Stand): Readonly<Record<string, string>> => ({ origin: new URL(server.url).origin })

async function signInAtProvider(call: Call, person: number): Promise<string> {
  const leaving = await call({ path: '/login/idp' })
  const { searchParams } = new URL(leaving.location)
  const code: Code = { sub: `engineer-${person}`, nonce: searchParams.get('nonce') ?? '' }
  const back = new URLSearchParams({
    code: Buffer.from(JSON.stringify(code)).toString('base64url'),
    state: searchParams.get('state') ?? '',
  })
  return (await call({ path: `/login/callback/idp?${back.toString()}`, headers: { cookie: leaving.cookie } })).cookie
}

const password = 'correct horse battery staple'

/** @returns the codes of their app, so many steps from now */
async function join(stand: Stand, call: Call, user: string): Promise<(ahead: number) => string> {
  const { url } = await stand.administrator.inviteUser({ user })
  const secret = new URL(url).hash.slice(1)
  const headers = ownPage(stand)
  const { body: page } = await call({ method: 'POST', path: '/join', headers, form: { secret } })
  const [, shown = ''] = /<code>([A-Z2-7 ]+)<\/code>/.exec(page) ?? []
  const form = page.slice(page.indexOf('action="/join/password"'))
  const [, challenge = ''] = /name="challenge" value="([^"]+)"/.exec(form) ?? []
  const totp = new TOTP({ secret: Secret.fromBase32(shown.replaceAll(' ', '')) })
  const codeAt = (steps: number): string => totp.generate({ timestamp: Date.now() + steps * 30_000 })
  const answered = { secret, challenge, password, code: codeAt(-1) }
  await call({ method: 'POST', path: '/join/password', headers, form: answered })
  return codeAt
}

async function obtain(call: Call, form: Readonly<Record<string, string>>): Promise<string> {
  const { body } = await call({ method: 'POST', path: '/oauth/token', form })
  return (JSON.parse(body) as { readonly access_token: string }).access_token
}
