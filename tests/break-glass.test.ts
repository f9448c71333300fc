/** Access in an emergency: at once, alone, for few, loud, and looked at afterwards. */

import { expect, test } from 'vitest'
import type { Client } from '@tidegate/api'
import { hours, minutes } from '@tidegate/core'
import { assumed, logIn } from './support/access.ts'
import { problemOf, send } from './support/http.ts'
import { loginOf } from './support/sign-in.ts'
import { entriesOf, inStore } from './support/story.ts'
import type { Parts, World } from './support/tidegate.ts'
import { createWorldForTest, defaultFiles } from './support/tidegate.ts'

const registered = (proof = 'any'): string => `
breakGlass:
  people: [alice, group:team-leads]
  roles: [orders-db/maintainer, orders-db/writer, tidegate/owner]
  longest: 1h
  proof: ${proof}
  review: { by: security, within: 24h }
  notify: [orders-team]
`

const glass = `
@id("glass") @max_duration("1h")
permit (principal, action == Action::"break-glass", resource in Label::"env=production") unless { resource.risk == "elevated" };

@id("glass-tidegate")
permit (principal in Group::"team-leads", action == Action::"break-glass", resource == Role::"tidegate/owner");

@id("audit")
permit (principal in Group::"orders-team", action == Action::"access", resource == Role::"tidegate/auditor");
`

const filesWith =
  (registration: string) =>
  (parts: Parts): World['files'] => [
    ...defaultFiles(parts),
    { path: 'glass.yaml', text: registration },
    { path: 'glass.cedar', text: glass },
  ]

const newWorld = (registration = registered()): Promise<World> => createWorldForTest({ files: filesWith(registration) })

const emergency = { role: 'orders-db/maintainer', duration: '30m', reason: 'Orders are down' }
const refused = (detail: string) => ({ code: 'break-glass-refused', message: expect.stringContaining(detail) })

const findingsOf = async (auditor: Client): Promise<string[]> =>
  (await auditor.listFindings({ open: 'true' })).items
    .filter(({ kind }) => kind !== 'standing-power-used')
    .map(({ kind, severity }) => `${kind} ${severity}`)

test('whoever is registered is in at once and alone, with a login that works', async () => {
  const { as } = await newWorld()
  const { request, grant, credential, review } = await as('alice').breakGlass(emergency)
  expect(request).toMatchObject({ status: 'approved', action: 'break-glass', approvals: [], reason: 'Orders are down' })
  expect(grant).toMatchObject({ state: 'active', role: 'orders-db/maintainer', durationSeconds: 1_800 })
  expect(review).toMatchObject({ grant: grant.id, principal: 'user:alice', overdue: false })
  if (!credential) throw new Error('There is no credential.')
  const session = await logIn(credential)
  expect((await session.query('select count(*) from shop.orders')).rows).toHaveLength(1)
})

test('the same role takes two people and a ticket from whoever only asks', async () => {
  const { as } = await newWorld()
  const asked = await as('alice').createRequest(emergency)
  expect(asked.status).toBe('denied')
  expect(await as('alice').ask({ role: emergency.role, duration: '30m', action: 'break-glass' })).toMatchObject({
    outcome: 'permit',
    policies: ['glass'],
  })
})

test('it is loud: in the log, as a finding, and to everyone who is told', async () => {
  const { as } = await newWorld()
  const { grant, review } = await as('alice').breakGlass(emergency)
  const entries = await entriesOf(as('sam'), { grant: grant.id })
  const used = entries.find(({ type }) => type === 'break-glass.used')
  expect(used).toMatchObject({
    entry: { role: emergency.role, review: review.id, reviewers: 'security', notified: ['orders-team'] },
    disclosed: expect.objectContaining({ '/principal': 'user:alice' }),
  })
  expect(await findingsOf(as('sam'))).toEqual(['break-glass-used high'])
  const seen = async (who: string): Promise<number> => (await as(who).listReviews({ open: 'true' })).items.length
  // The one who used it, a reviewer, and one of those who are told; nobody else.
  expect([await seen('alice'), await seen('sam'), await seen('bob'), await seen('carol')]).toEqual([1, 1, 1, 0])
})

test.each([
  ['someone who is not registered', 'bob', emergency, 'not registered', 'not-registered'],
  [
    'a role that is not registered',
    'alice',
    { ...emergency, role: 'orders-db/readonly' },
    'It is there for',
    'role-not-listed',
  ],
  ['longer than it lasts', 'alice', { ...emergency, duration: '2h' }, 'at most', 'too-long'],
  [
    'a role that policy does not list',
    'alice',
    { ...emergency, role: 'orders-db/writer' },
    'No policy permits',
    'policy',
  ],
  [
    'a role of Tidegate that policy lists for others',
    'alice',
    { ...emergency, role: 'tidegate/owner' },
    'No policy',
    'policy',
  ],
])('refuses %s, and writes down that it was tried', async (_, who, wish, detail, cause) => {
  const { as } = await newWorld()
  await expect(as(who).breakGlass(wish)).rejects.toMatchObject(refused(detail))
  const [entry] = (await as('sam').listEntries({ type: 'break-glass.refused' })).items
  expect(entry).toMatchObject({ entry: { cause, role: wish.role }, disclosed: { '/principal': `user:${who}` } })
  expect((await as('sam').listGrants({})).items).toEqual([])
  expect((await as('sam').listReviews({})).items).toEqual([])
})

test('refuses a machine, and everyone where nothing is registered', async () => {
  const { as } = await newWorld('users: []')
  await expect(as('ci').breakGlass(emergency)).rejects.toMatchObject({ code: 'forbidden' })
  await expect(as('alice').breakGlass(emergency)).rejects.toMatchObject(refused('not registered'))
})

test.each([['phishing-resistant'], ['mfa']])(
  'a configured token is no proof where configuration asks for %s',
  async (proof) => {
    const { as } = await newWorld(registered(proof))
    await expect(as('alice').breakGlass(emergency)).rejects.toMatchObject(refused('Sign in with a'))
  },
)

test('asks for a phishing-resistant sign-in unless configuration says otherwise', async () => {
  const { as } = await newWorld(registered().replace(/ {2}proof: .*\n/, ''))
  await expect(as('alice').breakGlass(emergency)).rejects.toMatchObject(refused('passkey'))
})

test('whoever signed in too weakly is told with what to sign in again, and that it was tried is in the log', async () => {
  const provider =
    "{ id: okta, issuer: 'http://127.0.0.1:1', clientId: tidegate, clientSecret: env:NONE, domains: [example.com] }"
  const world = await newWorld(`${registered('phishing-resistant')}\nidentity: { providers: [${provider}] }\n`)
  const { url } = world.server
  const cookie = `__Host-tidegate=${await loginOf(world, 'alice')}`
  const headers = { cookie, 'x-tidegate-request': '1', origin: url }
  const tryIt = () => send(url, { method: 'POST', path: '/v1/break-glass', headers, body: JSON.stringify(emergency) })
  const weak = await tryIt()
  expect([weak.status, problemOf(weak).code]).toEqual([401, 'step-up-needed'])
  expect(weak.headers['www-authenticate']).toContain('error="insufficient_user_authentication"')
  expect(weak.headers['www-authenticate']).toContain('acr_values="phr"')
  const [entry] = (await world.as('sam').listEntries({ type: 'break-glass.refused' })).items
  expect(entry).toMatchObject({ entry: { cause: 'weak-proof' } })
  const proof = JSON.stringify({ mfa: true, phishingResistant: true, at: world.clock.now() })
  await inStore(world.store, `update login set authentication = authentication || '${proof}'`)
  expect((await tryIt()).status).toBe(200)
})

test('a role of Tidegate itself is opened as well: nobody is locked out for good', async () => {
  const { as } = await newWorld()
  const { grant, credential } = await as('carol').breakGlass({ ...emergency, role: 'tidegate/owner' })
  expect([grant.state, credential]).toEqual(['active', undefined])
  expect((await as('carol').whoami({})).administrator).toBe(true)
  await as('carol').createGateway({ id: 'amsterdam' })
})

test('it is reviewed by someone else, once, and then its finding closes', async () => {
  const { as, admin } = await newWorld()
  const { review } = await as('alice').breakGlass(emergency)
  const closing = { id: review.id, comment: 'Fits the incident' }
  await expect(as('alice').closeReview(closing)).rejects.toMatchObject({ code: 'own-review' })
  await expect(as('bob').closeReview(closing)).rejects.toMatchObject({ code: 'not-found' })
  await expect(as('dora').closeReview(closing)).rejects.toMatchObject({ code: 'not-found' })
  const closed = await as('sam').closeReview(closing)
  expect(closed).toMatchObject({ closedBy: 'user:sam', comment: 'Fits the incident', overdue: false })
  await expect(as('sam').closeReview(closing)).rejects.toMatchObject({ code: 'review-closed' })
  expect(await findingsOf(as('sam'))).toEqual([])
  const [entry] = (await admin.listEntries({ type: 'break-glass.reviewed' })).items
  expect(entry).toMatchObject({ entry: { review: review.id, overdue: false } })
})

test('a reviewer who used it does not review it, in whatever group they are', async () => {
  const { as, admin, files } = await newWorld()
  const moved = files.map(({ path, text }) => ({
    path,
    text: text.replace('id: security, members: [sam]', 'id: security, members: [sam, alice]'),
  }))
  await admin.applyConfig({ files: moved })
  const { review } = await as('alice').breakGlass(emergency)
  await expect(as('alice').closeReview({ id: review.id, comment: 'Fine' })).rejects.toMatchObject({
    code: 'own-review',
  })
})

test('nobody closes its finding without the review', async () => {
  const { as, admin } = await newWorld()
  await as('alice').breakGlass(emergency)
  const [finding] = (await as('sam').listFindings({ kind: 'break-glass-used' })).items
  await expect(admin.closeFinding({ id: finding?.id ?? '', note: 'Seen' })).rejects.toMatchObject({ code: 'forbidden' })
  expect(await findingsOf(as('sam'))).toEqual(['break-glass-used high'])
})

test('before its deadline glass is broken again; unreviewed past it, not by the same person, but by another', async () => {
  const { as, clock } = await newWorld()
  const { review } = await as('alice').breakGlass(emergency)
  clock.set(Date.parse(review.dueAt) - 1)
  const again = await as('alice').breakGlass(emergency)
  clock.advance(1)
  await expect(as('alice').breakGlass(emergency)).rejects.toMatchObject(refused(`tidegate reviews close ${review.id}`))
  await as('carol').breakGlass(emergency)
  await as('sam').closeReview({ id: review.id, comment: 'Late' })
  await as('alice').breakGlass(emergency)
  clock.advance(hours(24))
  await expect(as('alice').breakGlass(emergency)).rejects.toMatchObject(refused(again.review.id))
})

test('unreviewed past its deadline it is a finding of its own, which the reconciler opens and the review closes', async () => {
  const { as, clock, server } = await newWorld()
  const { review } = await as('alice').breakGlass(emergency)
  clock.set(Date.parse(review.dueAt) - 1)
  await server.drain()
  expect(await findingsOf(as('sam'))).toEqual(['break-glass-used high'])
  clock.advance(1)
  await server.drain()
  expect((await findingsOf(as('sam'))).toSorted()).toEqual(['break-glass-used high', 'review-overdue high'])
  expect((await as('sam').listReviews({})).items).toMatchObject([{ overdue: true }])
  const closed = await as('sam').closeReview({ id: review.id, comment: 'Late' })
  expect(closed.overdue).toBe(false)
  expect(await findingsOf(as('sam'))).toEqual([])
})

test.each([
  [
    'is no longer registered',
    (files: World['files']) =>
      files.map(({ path, text }) => ({
        path,
        text: text.replace('people: [alice, group:team-leads]', 'people: [group:team-leads]'),
      })),
  ],
  [
    'has a role that is no longer registered',
    (files: World['files']) =>
      files.map(({ path, text }) => ({ path, text: text.replace('roles: [orders-db/maintainer, ', 'roles: [') })),
  ],
  ['has no policy for it any more', (files: World['files']) => files.filter(({ path }) => path !== 'glass.cedar')],
])('who %s is out at once, and the review stays', async (_, changed) => {
  const { as, admin, files } = await newWorld()
  const { grant } = await as('alice').breakGlass(emergency)
  await admin.applyConfig({ files: changed(files) })
  expect(await as('alice').getGrant({ id: grant.id })).toMatchObject({ end: { reason: 'policy-changed' } })
  expect((await as('alice').listReviews({ open: 'true' })).items).toHaveLength(1)
})

test('it ends at its time like every grant; to stay longer takes what it always takes', async () => {
  const { as, clock, server } = await newWorld()
  const { grant } = await as('alice').breakGlass(emergency)
  const extension = await as('alice').extendGrant({ id: grant.id, duration: '1h', reason: 'Still down' })
  expect(extension.request).toMatchObject({ status: 'denied' })
  clock.advance(minutes(30))
  await server.drain()
  expect(await as('alice').getGrant({ id: grant.id })).toMatchObject({ state: 'ended', end: { reason: 'expired' } })
})

test('the store keeps what was used, whose review it is and that it was closed, whatever the code asks', async () => {
  const { as, store } = await newWorld()
  const { review } = await as('alice').breakGlass(emergency)
  const at = '2099-01-01'
  const close = (by: string): Promise<unknown> =>
    inStore(store, `update break_glass_review set closed_at = $1, closed_by = $2, comment = 'x' where id = $3`, [
      at,
      by,
      review.id,
    ])
  await expect(inStore(store, 'delete from break_glass_review')).rejects.toThrow('never forgotten')
  await expect(inStore(store, `update break_glass_review set person = 'bob'`)).rejects.toThrow('never changes')
  await expect(inStore(store, `update break_glass_review set due_at = $1`, [at])).rejects.toThrow('never changes')
  await expect(close('alice')).rejects.toThrow('violates check constraint')
  await close('sam')
  await expect(close('dora')).rejects.toThrow('stays so')
})

test('what cannot be written down is not opened: without a review there is no grant', async () => {
  const { as, store } = await newWorld()
  await inStore(store, 'alter table break_glass_review add check (false) not valid')
  await expect(as('alice').breakGlass(emergency)).rejects.toMatchObject({ code: 'internal' })
  expect((await as('sam').listGrants({})).items).toEqual([])
  expect((await as('sam').listRequests({})).items).toEqual([])
})

test('an auditor by a grant sees it too', async () => {
  const { as } = await newWorld()
  await as('alice').breakGlass(emergency)
  await assumed(as('bob'), { role: 'tidegate/auditor' })
  expect(await findingsOf(as('bob'))).toEqual(['break-glass-used high'])
})

test.each([
  ['people: [nobody]', 'There is no user nobody.'],
  ['people: [group:nobody]', 'There is no group nobody.'],
  ['people: [service:ci]', 'Only people break glass.'],
  ['roles: [orders-db/nothing]', 'There is no role orders-db/nothing.'],
  ['roles: [tidegate/nothing]', 'There is no role tidegate/nothing.'],
  ['review: { by: nobody }', 'There is no group nobody.'],
  ['notify: [nobody]', 'There is no group nobody.'],
])('configuration with %s does not load', async (line, message) => {
  const { admin, files } = await newWorld()
  const name = line.slice(0, line.indexOf(':'))
  const changed = files.map(({ path, text }) => ({
    path,
    text: text.replace(new RegExp(`^  ${name}: .*$`, 'm'), `  ${line}`),
  }))
  await expect(admin.planConfig({ files: changed })).rejects.toMatchObject({ details: { problems: [{ message }] } })
})
