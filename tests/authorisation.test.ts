/** Who may call what, for every operation there is: a new one is in these tests as soon as it is in the table. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AdministrationAuth, Auth, Operation } from '@tidegate/api'
import { administrationAuth, operations } from '@tidegate/api'
import type { AdministrationRole } from '@tidegate/core'
import { administrationRoles } from '@tidegate/core'
import { assumed } from './support/access.ts'
import { joined } from './support/gateways.ts'
import type { Answer } from './support/http.ts'
import { problemOf, send } from './support/http.ts'
import { stateOf } from './support/story.ts'
import type { Parts, World } from './support/tidegate.ts'
import { identityYaml, loginOf } from './support/sign-in.ts'
import { createWorld, defaultFiles, makeToken } from './support/tidegate.ts'

let world: Awaited<ReturnType<typeof createWorld>>
/** Of gateways: one that is there, one that was put out, and one that was only invited. */
let tokens: Readonly<Record<'gateway' | 'gone' | 'invitation', string>>
/** Of an agent that was killed. */
let ofKilled: string
/** Of people who signed in: `alice`, `sam` and `dora`, one whose login is over, and one who is not there. */
let cookies: Readonly<Record<string, string>>

/** Of each role of Tidegate itself, someone who holds it by a grant and by nothing else: `owner` holds `owner`. */
const holders = Object.keys(administrationRoles) as AdministrationRole[]

const administrationPolicies = holders
  .map(
    (id) =>
      `@id("gives-${id}") @max_duration("30d") permit (principal == User::"${id}", action == Action::"access", resource == Role::"tidegate/${id}");`,
  )
  .join('\n')

/** With an agent, a token that is over, one that configuration takes back, and machines in the groups of people. */
const peopleWith = ({ hashOf }: Parts, { erin }: { erin: boolean }): string => `
users:
  - { id: late, tokens: [{ hash: '${hashOf('late')}', expires: '2020-01-01T00:00:00Z' }] }
  - { id: erin, tokens: ${erin ? `[{ hash: '${hashOf('erin')}', expires: '2099-01-01T00:00:00Z' }]` : '[]'} }
${erin ? `  - { id: frank, tokens: [{ hash: '${hashOf('frank')}', expires: '2099-01-01T00:00:00Z' }] }` : ''}
${holders.map((id) => `  - { id: ${id}, tokens: [{ hash: '${hashOf(id)}', expires: '2099-01-01T00:00:00Z' }] }`).join('\n')}
services:
  - { id: robot, tokens: [{ hash: '${hashOf('robot')}', expires: '2099-01-01T00:00:00Z' }] }
agents:
  - { id: helper, user: dora, tokens: [{ hash: '${hashOf('helper')}', expires: '2099-01-01T00:00:00Z' }] }
  - { id: killed, user: dora, tokens: [{ hash: '${hashOf('killed')}', expires: '2099-01-01T00:00:00Z' }] }
`

/** `dora` administers and `sam` audits; the machines in their groups are still machines. */
const withMachines = (files: World['files']): World['files'] =>
  files.map(({ path, text }) => ({
    path,
    text: text
      .replace(
        'id: tidegate-admins, members: [dora]',
        'id: tidegate-admins, members: [dora, service:robot, agent:helper]',
      )
      .replace('id: security, members: [sam]', 'id: security, members: [sam, service:robot, agent:helper]'),
  }))

const filesWith = (parts: Parts, extra: { erin: boolean }): World['files'] => [
  ...withMachines(defaultFiles(parts)),
  { path: 'more-people.yaml', text: peopleWith(parts, extra) },
  { path: 'administration.cedar', text: administrationPolicies },
  { path: 'identity.yaml', text: identityYaml({ issuer: 'https://nobody.invalid', clientId: 'tidegate' }) },
]

beforeAll(async () => {
  let parts: Parts | undefined
  world = await createWorld({
    files: (given) => {
      parts = given
      return filesWith(given, { erin: true })
    },
  })
  // Erin's token and Frank himself are taken back.
  if (parts) await world.admin.applyConfig({ files: filesWith(parts, { erin: false }) })
  for (const id of holders) await assumed(world.as(id), { role: `tidegate/${id}`, duration: '30d' })
  const [gateway, gone] = [await joined(world, { id: 'there' }), await joined(world, { id: 'gone' })]
  await world.admin.removeGateway({ id: 'gone' })
  const { enrolmentToken } = await world.admin.createGateway({ id: 'invited' })
  ofKilled = (await world.as('dora').createAgentToken({ id: 'killed' })).token
  await world.as('dora').killAgent({ id: 'killed', reason: 'A test' })
  tokens = { gateway: gateway.token, gone: gone.token, invitation: enrolmentToken }
  const secrets = ['alice', 'sam', 'dora', 'erin', 'frank'].map(async (id) => [id, await loginOf(world, id)] as const)
  cookies = Object.fromEntries(await Promise.all(secrets))
  const [over] = (await world.admin.listLogins({ principal: 'user:erin' })).items
  await world.admin.endLogin({ id: over?.id ?? '' })
})
afterAll(() => world.stop())

const table = Object.entries(operations) as [string, Operation][]

const call = (operation: Operation, headers: Record<string, string>, from = '127.0.0.1'): Promise<Answer> =>
  send(world.server.url, {
    from,
    method: operation.method,
    path: operation.path.replaceAll(/\{\w+\}/g, 'nothing'),
    headers,
    ...(operation.method !== 'GET' && { body: '{}' }),
  })

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

/** As a page of ours sends it. */
const cookie = (secret: string | undefined): Record<string, string> => ({
  cookie: `__Host-tidegate=${secret}`,
  'x-tidegate-request': '1',
  origin: world.server.url,
})

/** `alice by cookie` has signed in; `alice` has a token. */
function headersOf(who: string): Record<string, string> {
  const [id = '', how] = who.split(' by ')
  if (how === 'cookie') return cookie(cookies[id])
  return bearer(who === 'a gateway' ? tokens.gateway : world.tokenOf(id))
}

/** Everything that is not a token of someone, now. */
const strangers = (): Record<string, Record<string, string>> => ({
  'no header': {},
  'an empty header': { authorization: '' },
  'a scheme alone': { authorization: 'Bearer' },
  'another scheme': { authorization: `Basic ${Buffer.from('dora:secret').toString('base64')}` },
  'a token without its scheme': { authorization: world.tokenOf('dora') },
  'a token that is cut': bearer(world.tokenOf('dora').slice(0, -1)),
  'a token with a tail': bearer(`${world.tokenOf('dora')}A`),
  'two tokens': bearer(`${world.tokenOf('dora')} ${world.tokenOf('dora')}`),
  'the hash of a token': bearer(makeToken().hash),
  'an unknown token': bearer(makeToken().token),
  'an expired token': bearer(world.tokenOf('late')),
  'a token that configuration took back': bearer(world.tokenOf('erin')),
  'a token of someone whom configuration removed': bearer(world.tokenOf('frank')),
  'a token of a gateway that was put out': bearer(tokens.gone),
  'a token of an agent that was killed': bearer(ofKilled),
  'a declared token of an agent that was killed': bearer(world.tokenOf('killed')),
  'an invitation of a gateway': bearer(tokens.invitation),
  'the token of a gateway under the prefix of a person': bearer(tokens.gateway.replace('tgw_', 'tdg_')),
  'a cookie without the header': { cookie: cookie(cookies['dora'])['cookie'] ?? '', origin: world.server.url },
  'a cookie from another site': { ...cookie(cookies['dora']), origin: 'https://evil.example' },
  'a cookie from what shares our domain': { ...cookie(cookies['dora']), 'sec-fetch-site': 'same-site' },
  'a cookie beside a token that is none': { ...cookie(cookies['dora']), ...bearer('nonsense') },
  'two cookies': { ...cookie(cookies['dora']), cookie: `__Host-tidegate=${cookies['dora']}; __Host-tidegate=x` },
  'a cookie of another name': { ...cookie(cookies['dora']), cookie: `tidegate=${cookies['dora']}` },
  'a cookie that is cut': cookie(cookies['dora']?.slice(0, -1)),
  'a cookie of a login that was ended': cookie(cookies['erin']),
  'a cookie of someone whom configuration removed': cookie(cookies['frank']),
  'the secret of a cookie as a token': bearer(cookies['dora'] ?? ''),
  'a token as a cookie': cookie(world.tokenOf('dora')),
  'the token of a person under the prefix of a gateway': bearer(world.tokenOf('dora').replace('tdg_', 'tgw_')),
})

test('every operation refuses whoever is not known, always in the same words, and changes nothing', async () => {
  const before = await stateOf(world.store)
  const bodies = new Set<string>()
  const answers: Record<string, number> = {}
  for (const [id, operation] of table) {
    if (operation.auth === 'anyone') continue
    const trying = Object.entries(strangers()).map(
      async ([how, headers]) => [how, await call(operation, headers)] as const,
    )
    for (const [how, answer] of await Promise.all(trying)) {
      answers[`${id} with ${how}`] = answer.status
      bodies.add(answer.text)
      expect(answer.headers['www-authenticate'], id).toMatch(
        /^Bearer realm="tidegate", (error="invalid_token", )?DPoP realm=/,
      )
    }
  }
  expect(Object.entries(answers).filter(([, status]) => status !== 401)).toEqual([])
  expect(Object.keys(answers).length).toBeGreaterThan(300)
  expect([...bodies].map((text) => (JSON.parse(text) as { code: string }).code)).toEqual(['unauthenticated'])
  expect(await stateOf(world.store)).toEqual(before)
})

/** Holders of the roles of Tidegate itself that are enough for a word of the table, and those that are not. */
const having = (auth: AdministrationAuth): string[] => holders.filter((id) => takes(auth).includes(id))
const lacking = (auth: AdministrationAuth): string[] => holders.filter((id) => !takes(auth).includes(id))
const takes = (auth: AdministrationAuth): readonly string[] => administrationAuth[auth]
const nobody = ['ci', 'robot', 'helper', 'alice', 'bob', 'a gateway', 'alice by cookie']
const standingAuditors = ['sam', 'sam by cookie']
const standingOwners = ['dora', 'dora by cookie']

/** For each word of the table: who is not enough. `anyone` refuses nobody, and `principal` no principal. */
const notEnough: Record<Auth, readonly string[]> = {
  anyone: [],
  principal: ['a gateway'],
  person: ['ci', 'robot', 'helper', 'a gateway'],
  administrator: [...nobody, ...standingAuditors, ...lacking('administrator')],
  'policy-author': [...nobody, ...standingAuditors, ...lacking('policy-author')],
  auditor: [...nobody, ...lacking('auditor')],
  'policy-reader': [...nobody, ...lacking('policy-reader')],
  'signal-source': ['helper', 'alice', 'sam', 'dora', 'a gateway', 'dora by cookie', ...holders],
  gateway: ['ci', 'robot', 'helper', 'device-manager', 'alice', 'bob', 'sam', 'dora', 'dora by cookie', ...holders],
}

const enough: Record<Auth, readonly string[]> = {
  anyone: ['alice', 'a gateway'],
  principal: ['alice', 'ci', 'helper', 'sam', 'dora', 'alice by cookie', ...holders],
  person: ['alice', 'sam', 'dora', 'sam by cookie', ...holders],
  administrator: [...standingOwners, ...having('administrator')],
  'policy-author': [...standingOwners, ...having('policy-author')],
  auditor: [...standingAuditors, ...standingOwners, ...having('auditor')],
  'policy-reader': [...standingAuditors, ...standingOwners, ...having('policy-reader')],
  'signal-source': ['device-manager'],
  gateway: ['a gateway'],
}

test('every operation refuses whoever is not enough for it, a machine in the group of people included, and changes nothing', async () => {
  const before = await stateOf(world.store)
  const codes: Record<string, string> = {}
  for (const [id, operation] of table) {
    for (const who of notEnough[operation.auth]) {
      codes[`${id} as ${who}`] = problemOf(await call(operation, headersOf(who))).code
    }
  }
  expect(Object.entries(codes).filter(([, code]) => code !== 'forbidden')).toEqual([])
  expect(Object.keys(codes).length).toBeGreaterThan(50)
  expect(await stateOf(world.store)).toEqual(before)
})

test('every operation lets through whoever is enough for it, to have the input looked at', async () => {
  const statuses: Record<string, number> = {}
  for (const [id, operation] of table) {
    for (const who of enough[operation.auth])
      statuses[`${id} as ${who}`] = (await call(operation, headersOf(who))).status
  }
  expect(Object.entries(statuses).filter(([, status]) => ![200, 201, 400, 404].includes(status))).toEqual([])
})

test('what anyone may call looks at no token: a wrong one is no worse than none', async () => {
  // Each from an address of its own: so many strangers from one are told to wait.
  let last = 1
  for (const [id, operation] of table.filter(([, { auth }]) => auth === 'anyone')) {
    const from = `127.0.0.${++last}`
    const answers = await Promise.all(Object.values(strangers()).map((headers) => call(operation, headers, from)))
    expect([id, new Set(answers.map(({ status, text }) => `${status} ${text}`)).size]).toEqual([id, 1])
    expect(problemOf(answers[0] as Answer).code).toBe('invalid-input')
  }
})

test('a service sends no signal that configuration does not name it for, even where it is named for another', async () => {
  const before = await stateOf(world.store)
  const device = { name: 'device', subject: 'user:alice', value: { compliant: false, managed: true } } as const
  await expect(world.as('ci').putSignal(device)).rejects.toMatchObject({ code: 'forbidden' })
  const risk = { name: 'risk', subject: 'user:alice', value: { level: 'high' } } as const
  await expect(world.as('device-manager').putSignal(risk)).rejects.toMatchObject({ code: 'forbidden' })
  expect(await stateOf(world.store)).toEqual(before)
})

test('a token is refused from the very instant of its end', async () => {
  const { admin, clock, server } = world
  const { tokenExpiresAt } = await admin.whoami({})
  clock.set(Date.parse(tokenExpiresAt as string) - 1)
  expect((await admin.whoami({})).administrator).toBe(true)
  clock.advance(1)
  await expect(admin.whoami({})).rejects.toMatchObject({ code: 'unauthenticated' })
  expect((await send(server.url, { path: '/healthz' })).status).toBe(200)
})

test('what one may not see is not found, exactly as what is not there', async () => {
  const request = await world
    .as('alice')
    .createRequest({ role: 'orders-db/writer', duration: '1h', reason: 'Fix order 7' })
  const path = `/v1/requests/${request.id}`
  const hidden = await send(world.server.url, { path, token: world.tokenOf('ci') })
  const absent = await send(world.server.url, { path: '/v1/requests/req_nothing', token: world.tokenOf('ci') })
  expect(hidden.status).toBe(404)
  expect(hidden.text).toBe(absent.text)
  const cancelled = await send(world.server.url, {
    method: 'POST',
    path: `${path}/cancel`,
    token: world.tokenOf('bob'),
    body: '{}',
  })
  expect(cancelled.text).toBe(absent.text)
})
