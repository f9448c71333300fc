/** How often the server waits for the store: to know who is asking, with each request, and for what a source pushes. */

import { expect, test, vi } from 'vitest'
import { signedInAsker } from './support/command-line.ts'
import { clusterOf } from './support/databases.ts'
import { send } from './support/http.ts'
import { prover } from './support/proofs.ts'
import { startProxyForTest } from './support/proxy.ts'
import { createScimWorld, patchOf, pushGroup, pushUser, userOf } from './support/scim.ts'
import { account, createSignInWorld, loginOf } from './support/sign-in.ts'

vi.setConfig({ testTimeout: 120_000 })

/** Of several times the least: where the machine is busy, what is sent together arrives in pieces, and may be answered so. */
const times = 4

const services = `
services:
  - { id: deploy, owner: carol, secrets: { longest: 30d } }
`

/** Once for what is shown, and once for whom it is of: both have to be looked at with each request, or nothing ends at once. */
const most = 2

test('the store is asked twice at most before it is known who is asking, in every way there is', async () => {
  const proxy = await startProxyForTest(clusterOf('store'))
  const scene = await createSignInWorld({ storeAt: proxy, more: services })
  const { world } = scene
  const { url } = world.server
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const asker = await signedInAsker({ url, clock: world.clock }, browser)
  const prove = await prover({ ...asker, world, url })
  const { secret } = await world.as('carol').createServiceSecret({ service: 'deploy', lasts: '7d' })
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'deploy', client_secret: secret })
  const machine = await fetch(`${url}/oauth/token`, { method: 'POST', body: form })
  const { access_token: machineToken } = (await machine.json()) as { access_token: string }
  const cookie = await loginOf(world, 'erin@example.com')
  const ways: Record<string, () => Promise<Record<string, string>>> = {
    token: async () => ({ authorization: `Bearer ${world.tokenOf('alice')}` }),
    cookie: async () => ({ cookie: `__Host-tidegate=${cookie}`, 'x-tidegate-request': '1' }),
    'command line': async () => ({ authorization: `DPoP ${asker.tokens.access_token}`, dpop: await prove() }),
    service: async () => ({ authorization: `Bearer ${machineToken}` }),
  }
  const taken: Record<string, number> = {}
  for (const [way, headersOf] of Object.entries(ways)) {
    for (let i = 0; i < times; i++) {
      const headers = await headersOf()
      const before = proxy.trips()
      expect([way, (await send(url, { path: '/v1/me', headers })).status]).toEqual([way, 200])
      taken[way] = Math.min(taken[way] ?? Infinity, proxy.trips() - before)
    }
  }
  expect(Object.entries(taken).filter(([, trips]) => trips === 0 || trips > most)).toEqual([])
})

test('what a source pushes waits for the store a few times, however much it is, and what it says again hardly at all', async () => {
  const proxy = await startProxyForTest(clusterOf('store'))
  const { okta } = await createScimWorld({ storeAt: proxy })
  const taken: Record<string, number> = {}
  const counted = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const before = proxy.trips()
    const result = await work()
    taken[what] = Math.min(taken[what] ?? Infinity, proxy.trips() - before)
    return result
  }
  const ids: string[] = []
  for (const name of ['p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8'])
    ids.push(await counted('a person', () => pushUser(okta, name)))
  const members = ids.map((value) => ({ value }))
  const emptied = patchOf({ op: 'replace', path: 'members', value: [] })
  const suspended = patchOf({ op: 'replace', value: { active: false } })
  for (let i = 0; i < times; i++) {
    const displayName = `group ${i}`
    const group = await counted('a group', () => pushGroup(okta, displayName, ids))
    await counted('the same group', () => okta.must('PUT', `/Groups/${group}`, { displayName, members }))
    await counted('an emptied group', () => okta.must('PATCH', `/Groups/${group}`, emptied))
    await counted('the same person', () => okta.must('PUT', `/Users/${ids[i]}`, userOf(`p${i + 1}`)))
    await counted('a leaver', () => okta.must('PATCH', `/Users/${ids[i]}`, suspended))
  }
  const most = {
    'a person': 5,
    'a group': 8,
    'the same person': 2,
    'the same group': 4,
    'an emptied group': 8,
    'a leaver': 9,
  }
  const over = Object.entries(most).filter(([what, trips]) => (taken[what] ?? Infinity) > trips)
  expect(over.map(([what, trips]) => `${what}: ${taken[what]}, and not ${trips}`)).toEqual([])
})
