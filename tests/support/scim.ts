/** A Tidegate to which an identity provider pushes its people and groups, and the pushing end. */

import { expect } from 'vitest'
import type { Answer } from './http.ts'
import { send } from './http.ts'
import type { SignInWorld } from './sign-in.ts'
import { createSignInWorld, identityYaml } from './sign-in.ts'
import type { Files, WorldOptions } from './tidegate.ts'
import { makeToken } from './tidegate.ts'

type Json = Readonly<Record<string, unknown>>

export type Pushed = Answer & { readonly body: Json }

/** What a source sends, byte by byte ours. */
export type Pusher = {
  readonly call: (method: string, path: string, options?: Options) => Promise<Pushed>
  /** @throws unless it is answered with 200, 201 or 204 */
  readonly must: (method: string, path: string, body?: unknown) => Promise<Json>
}

type Options = { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }

export function createPusher(url: string, token: string | undefined): Pusher {
  const call: Pusher['call'] = async (method, path, { body, headers } = {}) => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
    const answer = await send(url, {
      method,
      path: `/scim/v2${path}`,
      ...(token !== undefined && { token }),
      headers: { ...(text !== undefined && { 'content-type': 'application/scim+json' }), ...headers },
      ...(text !== undefined && { body: text }),
    })
    return { ...answer, body: answer.text === '' ? {} : (JSON.parse(answer.text) as Json) }
  }
  return {
    call,
    async must(method, path, body) {
      const answer = await call(method, path, { body })
      expect([answer.status, answer.text], `${method} ${path}`).toEqual([
        expect.toBeOneOf([200, 201, 204]),
        answer.text,
      ])
      return answer.body
    },
  }
}

export type ScimWorld = SignInWorld & { readonly okta: Pusher; readonly other: Pusher; readonly token: string }

const expires = '2099-01-01T00:00:00Z'

/** Two sources of one provider; the group `platform` of the first is in `engineers`. */
export async function createScimWorld({
  newcomers = 'refuse',
  storeAt,
}: { newcomers?: 'refuse' | 'create' } & Pick<WorldOptions, 'storeAt'> = {}): Promise<ScimWorld> {
  const scene = await createSignInWorld({ ...(storeAt && { storeAt }) })
  const [one, two] = [makeToken(), makeToken()]
  const scim = `
  scim:
    - { id: people, provider: okta, tokens: [{ hash: '${one.hash}', expires: '${expires}' }] }
    - { id: other, provider: okta, tokens: [{ hash: '${two.hash}', expires: '${expires}' }] }
`
  const withScim = (files: Files): Files =>
    files.map((file) => ({
      ...file,
      text:
        file.path === 'identity.yaml'
          ? identityYaml(scene.provider, scim).replace('newcomers: create', `newcomers: ${newcomers}`)
          : file.text.replace(
              'members: [group:okta/platform,',
              'members: [group:okta/platform, group:people/platform,',
            ),
    }))
  const apply: SignInWorld['apply'] = (change) => scene.apply((files) => change(withScim(files)))
  await apply((files) => files)
  const { url } = scene.world.server
  return { ...scene, apply, okta: createPusher(url, one.token), other: createPusher(url, two.token), token: one.token }
}

export const userSchema = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const groupSchema = 'urn:ietf:params:scim:schemas:core:2.0:Group'

export const userOf = (name: string, more: Json = {}): Json => ({
  schemas: [userSchema],
  userName: `${name}@example.com`,
  externalId: name,
  displayName: name,
  emails: [{ value: `${name}@example.com`, type: 'work', primary: true }],
  active: true,
  ...more,
})

export const patchOf = (...operations: readonly Json[]): Json => ({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
  Operations: operations,
})

/** @returns its id */
export const pushUser = async (pusher: Pusher, name: string, more: Json = {}): Promise<string> =>
  String((await pusher.must('POST', '/Users', userOf(name, more)))['id'])

/** @returns its id */
export const pushGroup = async (
  pusher: Pusher,
  displayName: string,
  members: readonly string[] = [],
): Promise<string> => {
  const body = { schemas: [groupSchema], displayName, members: members.map((value) => ({ value })) }
  return String((await pusher.must('POST', '/Groups', body))['id'])
}
