/** A Tidegate where people sign in at a real provider. */

import { randomBytes } from 'node:crypto'
import type { Instant } from '@tidegate/core'
import { hours } from '@tidegate/core'
import { createLogger } from '@tidegate/server'
import { SignJWT } from 'jose'
import { beginLogin } from '../../packages/server/src/identity/logins/logins.ts'
import { removeUser } from '../../packages/server/src/identity/directory/write.ts'
import type { Unit } from '../../packages/server/src/store/change.ts'
import { change } from '../../packages/server/src/store/change.ts'
import { createDatabase, createPool } from '../../packages/server/src/store/database.ts'
import type { Browser, Visit } from './browser.ts'
import { createBrowser } from './browser.ts'
import type { Answer } from './http.ts'
import { send } from './http.ts'
import type { Account, TestProvider } from './provider.ts'
import { startProvider } from './provider.ts'
import type { Files, Parts, World, WorldOptions } from './tidegate.ts'
import { createWorldForTest, defaultFiles } from './tidegate.ts'

export type SignInWorld = {
  readonly world: World
  readonly provider: TestProvider
  readonly apply: (change: (files: Files) => Files) => Promise<void>
  readonly signIn: (account: Account, browser?: Browser) => Promise<{ browser: Browser; visit: Visit }>
  readonly logoutToken: (
    claims: Record<string, unknown>,
    options?: { alg?: 'none'; issuedAt?: number },
  ) => Promise<string>
  readonly sendLogout: (token: string) => Promise<Answer>
  /** The provider no longer knows this person. */
  readonly forget: (user: string) => Promise<void>
}

export const identityYaml = ({ issuer, clientId }: Pick<TestProvider, 'issuer' | 'clientId'>, more = ''): string => `
identity:
  providers:
    - id: okta
      issuer: ${issuer}
      clientId: ${clientId}
      clientSecret: env:OKTA_SECRET
      domains: [example.com]
      claims: { groups: groups }
      newcomers: create
${more}`

/** `platform` at the provider are engineers here. */
export const withIdentity = (files: Files, text: string): Files => [
  ...files.map((file) => ({
    ...file,
    text: file.text.replace('id: engineers, members: [alice,', 'id: engineers, members: [group:okta/platform, alice,'),
  })),
  { path: 'identity.yaml', text },
]

/** `time`: `system` where programs with clocks of their own take part. */
type Options = { readonly more?: string } & Pick<WorldOptions, 'host' | 'time' | 'storeAt'>

export async function createSignInWorld({ more = '', host, time, storeAt }: Options = {}): Promise<SignInWorld> {
  let parts: Parts | undefined
  const world = await createWorldForTest({
    ...(host && { host }),
    ...(time && { time }),
    ...(storeAt && { storeAt }),
    env: { OKTA_SECRET: 'a-client-secret-of-the-tests' },
    files: (given) => {
      parts = given
      return defaultFiles(given)
    },
  })
  const provider = await startProvider({ redirect: () => `${world.server.url}/login/callback/okta` })
  // Its clock is the real one, and tokens are good from the second they are made in.
  world.clock.set(Date.now())
  const files = withIdentity(defaultFiles(parts as Parts), identityYaml(provider, more))
  await world.admin.applyConfig({ files })
  const tokenPath = `${world.server.url}/backchannel-logout/okta`
  return {
    world,
    provider,
    apply: async (change) => void (await world.admin.applyConfig({ files: change(files) })),
    async signIn(account, browser = createBrowser()) {
      provider.signInAs(account)
      return { browser, visit: await browser.open(`${world.server.url}/login/okta`) }
    },
    forget: async (id) => void (await changeIn(world, (unit) => removeUser(unit, { id, source: 'okta' }))),
    logoutToken: (claims, { issuedAt } = {}) => {
      const { privateKey, kid } = provider.key()
      const event = { 'http://schemas.openid.net/event/backchannel-logout': {} }
      return new SignJWT({ events: event, jti: crypto.randomUUID(), ...claims })
        .setProtectedHeader({ alg: 'RS256', kid, typ: 'logout+jwt' })
        .setIssuer(provider.issuer)
        .setAudience(provider.clientId)
        .setIssuedAt(issuedAt ?? Math.floor(world.clock.now() / 1_000))
        .sign(privateKey)
    },
    sendLogout: (token) =>
      send(world.server.url, {
        method: 'POST',
        path: new URL(tokenPath).pathname,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: `logout_token=${token}`,
      }),
  }
}

/** What the browser of someone who signed in holds: for who only needs to be known, without a provider that is there. */
export async function loginOf(
  { store, clock }: Pick<World, 'store' | 'clock'>,
  user: string,
  provider = 'okta',
): Promise<string> {
  const at = clock.now() as Instant
  const authentication = { method: 'oidc', mfa: false, phishingResistant: false, at } as const
  const client = { address: '127.0.0.1' }
  const login = { kind: 'browser', user, provider, subject: user, authentication, client, lasts: hours(12) } as const
  return (await changeIn({ store, clock }, (unit) => beginLogin(unit, login))).secret
}

/** As the server does what it does. */
async function changeIn<T>(
  { store, clock }: Pick<World, 'store' | 'clock'>,
  work: (unit: Unit) => Promise<T>,
): Promise<T> {
  const log = createLogger('silent')
  const times = { connectTimeoutMs: 10_000, statementTimeoutMs: 30_000 }
  const db = createDatabase(createPool({ url: store.url, maxConnections: 1, ...times, log }))
  const at = clock.now() as Instant
  try {
    return await change({ db, runtime: { now: () => at, random: randomBytes } }, work)
  } finally {
    await db.destroy()
  }
}

export const account = (sub: string, claims: Record<string, unknown> = {}, more: Partial<Account> = {}): Account => ({
  sub,
  claims: { email: `${sub}@example.com`, email_verified: true, name: sub, groups: [], ...claims },
  ...more,
})
