/** A Tidegate that trusts a workload by its platform's tokens. */

import type { Client } from '@tidegate/api'
import { createClient } from '@tidegate/api'
import type { JWTPayload } from 'jose'
import type { TestIssuer } from './issuer.ts'
import { startIssuer } from './issuer.ts'
import type { Files, Parts, World, WorldOptions } from './tidegate.ts'
import { createWorldForTest, defaultFiles } from './tidegate.ts'

export const audience = 'https://tidegate.example'
export const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const jwtType = 'urn:ietf:params:oauth:token-type:jwt'
export const accessType = 'urn:ietf:params:oauth:token-type:access_token'

export type Answered = {
  readonly status: number
  readonly body: {
    readonly access_token?: string
    readonly token_type?: string
    readonly expires_in?: number
    readonly issued_token_type?: string
    readonly error?: string
    readonly error_description?: string
  }
}

export type Workloads = {
  readonly world: World
  readonly issuer: TestIssuer
  readonly apply: (change: (files: Files) => Files) => Promise<void>
  /** As the platform gives them to a job of run 8, its first attempt. */
  readonly claims: (more?: JWTPayload) => JWTPayload
  readonly post: (form: Record<string, string>, headers?: Record<string, string>) => Promise<Answered>
  readonly exchange: (token: string, more?: Record<string, string>) => Promise<Answered>
  /** A client of the service, by a token of its platform. */
  readonly signIn: (more?: JWTPayload) => Promise<Client>
  readonly clientOf: (token: string | undefined) => Client
}

type Options = {
  readonly platform?: string
  readonly rule?: string
  /** Fields of the service, as YAML. */
  readonly service?: (issuer: TestIssuer) => Promise<string> | string
  readonly more?: string
  readonly world?: Omit<WorldOptions, 'files'>
}

export const usualRule = `{ issuer: github, audience: '${audience}', claims: { repository_id: 71, environment: production }, boundTo: run }`

export async function createWorkloads(options: Options = {}): Promise<Workloads> {
  const { platform = 'github-actions', rule = usualRule, service, more = '' } = options
  const issuer = await startIssuer()
  const fields = service ? await service(issuer) : `trust: [${rule}]`
  const written = (parts: Parts): Files => [
    ...defaultFiles(parts).map(({ path, text }) => ({
      path,
      text: text.replace(
        'members: [alice, bob, carol, service:ci]',
        'members: [alice, bob, service:ci, service:deploy]',
      ),
    })),
    {
      path: 'services.yaml',
      text: `
identity: { issuers: [{ id: github, platform: ${platform}, issuer: '${issuer.url}' }] }
services:
  - { id: deploy, owner: carol, ${fields} }
${more}`,
    },
  ]
  let files: Files = []
  const world = await createWorldForTest({ ...options.world, files: (parts) => (files = written(parts)) })
  const { url } = world.server
  const seconds = (): number => Math.floor(world.clock.now() / 1_000)
  const claims = (extra: JWTPayload = {}): JWTPayload => ({
    iss: issuer.url,
    aud: audience,
    sub: 'repo:octo/app:environment:production',
    jti: crypto.randomUUID(),
    iat: seconds(),
    nbf: seconds(),
    exp: seconds() + 300,
    repository: 'octo/app',
    repository_id: '71',
    environment: 'production',
    run_id: '8',
    run_attempt: '1',
    ...extra,
  })
  const post: Workloads['post'] = async (form, headers = {}) => {
    const answer = await fetch(`${url}/oauth/token`, { method: 'POST', headers, body: new URLSearchParams(form) })
    return { status: answer.status, body: (await answer.json()) as Answered['body'] }
  }
  const exchange: Workloads['exchange'] = (token, extra = {}) =>
    post({ grant_type: exchangeGrant, subject_token: token, subject_token_type: jwtType, ...extra })
  const clientOf = (token: string | undefined): Client => createClient({ url, token: token ?? '' })
  return {
    world,
    issuer,
    claims,
    post,
    exchange,
    clientOf,
    apply: async (change) => void (await world.admin.applyConfig({ files: change(files) })),
    signIn: async (extra) => clientOf((await exchange(await issuer.sign(claims(extra)))).body.access_token),
  }
}
