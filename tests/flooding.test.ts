/** Nobody fills the log: what is refused again and again is bounded, and that it happened stays provable. */

import { expect, test, vi } from 'vitest'
import { permitted } from './support/access.ts'
import { send } from './support/http.ts'
import { entriesOf, inStore } from './support/story.ts'
import type { World } from './support/tidegate.ts'
import { createWorldForTest } from './support/tidegate.ts'
import { createWorkloads, exchangeGrant, jwtType } from './support/workloads.ts'

// Each asks dozens of times, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 })

const post = ({ server, tokenOf }: World, who: string, [path, body]: readonly [string, object]) =>
  send(server.url, {
    method: 'POST',
    path,
    headers: { authorization: `Bearer ${tokenOf(who)}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

const wish = { role: 'orders-db/readonly', duration: '30m', reason: 'Look at order 7' }

const countOf = async ({ store }: World, types: readonly string[]): Promise<unknown> =>
  (await inStore(store, 'select count(*)::int as count from audit_entry where type = any($1)', [types]))[0]?.['count']

test.each([
  ['asks for what policy denies', 'sam', ['/v1/requests', wish], 201],
  ['asks for what waits for people', 'alice', ['/v1/access', { ...wish, role: 'orders-db/writer' }], 200],
  ['breaks glass without being registered', 'bob', ['/v1/break-glass', wish], 403],
] as const)('whoever %s again and again is told to wait, and others are not', async (_, who, asked, status) => {
  const world = await createWorldForTest()
  let answer = await post(world, who, asked)
  let times = 0
  // Where it takes long, some more are let through.
  for (; answer.status === status && times < 200; times++) answer = await post(world, who, asked)
  expect([answer.status, JSON.parse(answer.text).code, times >= 60]).toEqual([429, 'too-many', true])
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
  expect(await countOf(world, ['request.filed', 'break-glass.refused'])).toBe(times)
  expect((await post(world, 'carol', ['/v1/access', wish])).status).toBe(200)
})

test('what policy gives is not counted', async () => {
  const world = await createWorldForTest()
  for (let times = 0; times < 70; times++) await permitted(world.as('alice'))
})

test('tokens of an issuer that anyone gets them from are counted, and the count is an entry once the hour is over', async () => {
  const { world, issuer, claims, post: postForm } = await createWorkloads({ world: { proxies: ['127.0.0.1'] } })
  const show = async (subject: string, address: string): Promise<void> => {
    const form = { grant_type: exchangeGrant, subject_token_type: jwtType }
    const token = await issuer.sign(claims({ sub: subject, repository_id: '666' }))
    const { status } = await postForm({ ...form, subject_token: token }, { 'x-forwarded-for': address })
    expect(status).toBe(400)
  }
  const ofType = async (type: string) => (await entriesOf(world.admin)).filter((entry) => entry.type === type)
  for (let times = 0; times < 30; times++) await show('repo:mallory/one', '192.0.2.1')
  const first = { entry: { issuer: 'github', cause: 'untrusted' }, disclosed: { '/subject': 'repo:mallory/one' } }
  expect(await ofType('machine-login.refused')).toMatchObject([first, first, first, first, first])
  for (let times = 0; times < 130; times++) await show(`repo:mallory/${times}`, `198.51.100.${times}`)
  expect(await ofType('machine-login.refused')).toHaveLength(5 + 49)
  expect(await ofType('refusals.counted')).toEqual([])
  // 81 that differ too much: not yet a hundred.
  const findings = async () => (await world.admin.listFindings({})).items.filter(({ kind }) => kind === 'refusals-many')
  expect(await findings()).toEqual([])
  for (let times = 130; times < 149; times++) await show(`repo:mallory/${times}`, `198.51.100.${times}`)
  expect(await findings()).toMatchObject([{ subject: 'source:github', severity: 'medium' }])

  world.clock.advance(3_600_000)
  await show('repo:mallory/one', '192.0.2.1')
  const counted = (await ofType('refusals.counted')).map(({ entry, disclosed }) => [
    entry['of'],
    entry['source'],
    entry['cause'],
    entry['count'],
    disclosed['/subject'],
  ])
  expect(new Set(counted)).toEqual(
    new Set([
      ['machine-login.refused', 'github', 'untrusted', 25, 'repo:mallory/one'],
      ['machine-login.refused', 'github', undefined, 100, undefined],
    ]),
  )
  expect(await ofType('machine-login.refused')).toHaveLength(5 + 49 + 1)
})
