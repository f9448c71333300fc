/** Who says yes to a request, how often it counts, and what still holds when it is used. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Output } from '@tidegate/api'
import { outcomeOf } from './support/access.ts'
import { applyEdited } from './support/edit.ts'
import { entryTypesOf, inStore } from './support/story.ts'
import type { Files, Parts, World } from './support/tidegate.ts'
import { createWorld, createWorldForTest, defaultFiles } from './support/tidegate.ts'

/** Two who are not one: `carol` is in both groups, `erin` only in the second. */
const more = ({ hashOf }: Parts): string => `
users:
  - { id: erin, tokens: [{ hash: '${hashOf('erin')}', expires: '2099-01-01T00:00:00Z' }] }
agents:
  - { id: carols-helper, user: carol, tokens: [{ hash: '${hashOf('carols-helper')}', expires: '2099-01-01T00:00:00Z' }] }
groups:
  - { id: second-leads, members: [carol, erin, service:ci, agent:carols-helper] }
  - { id: helpers, members: [agent:carols-helper] }
`

const policies = `
@id("reading") @approvers("team-leads") @max_duration("8h")
permit (principal, action == Action::"access", resource in Label::"service=orders") when { resource.risk == "low" };

@id("writing") @approvers("team-leads, second-leads") @approvals("2") @max_duration("2h")
permit (principal, action == Action::"access", resource in Label::"service=orders") when { resource.risk == "elevated" };

@id("maintaining") @stages("manager:1, team-leads|second-leads:1, owner:1") @max_duration("1h")
permit (principal, action == Action::"access", resource in Label::"service=orders") when { resource.risk == "admin" };
`

const files = (parts: Parts): Files => [
  ...defaultFiles(parts).filter(({ path }) => path !== 'access.cedar'),
  { path: 'access.cedar', text: policies },
  { path: 'more.yaml', text: more(parts) },
]

type Request = Output<'createRequest'>

const ask = (client: Client, role: string, duration = '1h'): Promise<Request> =>
  client.createRequest({ role: `orders-db/${role}`, duration, reason: 'Fix order 7' })

describe('in one house', () => {
  let world: Awaited<ReturnType<typeof createWorld>>
  beforeAll(async () => void (world = await createWorld({ files })))
  afterAll(() => world.stop())

  test.each([
    ['carol', 'herself'],
    ['ci', 'the service that she answers for'],
    ['carols-helper', 'the agent that acts for her'],
  ])('carol does not answer a request of %s, %s', async (who) => {
    const request = await ask(world.as(who), 'writer')
    expect(request.status).toBe('pending')
    const { id } = request
    expect(await outcomeOf(world.as('carol').approveRequest({ id }))).toBe('own-request')
    expect(await outcomeOf(world.as('carol').denyRequest({ id }))).toBe('own-request')
    expect((await world.as(who).getRequest({ id })).approvals).toEqual([])
    const awaiting = await world.as('carol').listRequests({ awaiting: 'me' })
    expect(awaiting.items.map((one) => one.id)).not.toContain(id)
  })

  test('an administrator approves nothing by being one', async () => {
    const { id } = await ask(world.as('alice'), 'writer')
    expect(await outcomeOf(world.admin.approveRequest({ id }))).toBe('not-an-approver')
    expect(await outcomeOf(world.as('sam').approveRequest({ id }))).toBe('not-an-approver')
  })

  test('agents and services approve nothing, in whatever group they are', async () => {
    const { id } = await ask(world.as('alice'), 'writer')
    for (const who of ['ci', 'carols-helper']) {
      expect(await outcomeOf(world.as(who).approveRequest({ id }))).toBe('forbidden')
      expect(await outcomeOf(world.as(who).denyRequest({ id }))).toBe('forbidden')
    }
    expect((await world.as('alice').getRequest({ id })).approvals).toEqual([])
  })

  test('a person in two groups of approvers counts once', async () => {
    const { id } = await ask(world.as('alice'), 'writer')
    const once = await world.as('carol').approveRequest({ id })
    expect(once).toMatchObject({
      status: 'pending',
      approvals: [{ approver: 'user:carol', as: ['second-leads', 'team-leads'] }],
    })
    expect(await outcomeOf(world.as('carol').approveRequest({ id }))).toBe('already-answered')
    expect(await outcomeOf(world.as('carol').denyRequest({ id }))).toBe('already-answered')
    expect((await world.as('erin').approveRequest({ id })).status).toBe('approved')
  })

  test('stages are answered in their order, each by someone else', async () => {
    const { id, waitingFor } = await ask(world.as('alice'), 'maintainer')
    expect(waitingFor).toEqual(['manager'])
    expect(await outcomeOf(world.as('carol').approveRequest({ id }))).toBe('not-an-approver')
    const first = await world.as('dora').approveRequest({ id })
    expect(first).toMatchObject({ status: 'pending', waitingFor: ['second-leads', 'team-leads'] })
    // Dora leads and owns as well, and has said what she had to say.
    expect(await outcomeOf(world.as('dora').approveRequest({ id }))).toBe('already-answered')
    expect(await outcomeOf(world.as('bob').approveRequest({ id }))).toBe('not-an-approver')
    expect((await world.as('carol').approveRequest({ id })).waitingFor).toEqual(['owner'])
    expect(await outcomeOf(world.as('dora').approveRequest({ id }))).toBe('already-answered')
    const last = await world.as('bob').approveRequest({ id })
    expect(last).toMatchObject({ status: 'approved', waitingFor: [] })
    expect(last.approvals.map(({ approver }) => approver)).toEqual(['user:dora', 'user:carol', 'user:bob'])
  })

  test('two who approve at the same time both count where both are needed', async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await ask(world.as('alice'), 'writer')
      await Promise.all([world.as('dora').approveRequest({ id }), world.as('erin').approveRequest({ id })])
      const after = await world.as('alice').getRequest({ id })
      expect(after.status).toBe('approved')
      expect(after.approvals.map(({ approver }) => approver).toSorted()).toEqual(['user:dora', 'user:erin'])
    }
  })

  test('of two who approve at the same time where one is enough, one is told that it is settled', async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await ask(world.as('alice'), 'readonly')
      const codes = await Promise.all([
        outcomeOf(world.as('dora').approveRequest({ id })),
        outcomeOf(world.as('carol').approveRequest({ id })),
      ])
      expect(codes.toSorted()).toEqual(['done', 'request-settled'])
      expect((await world.as('alice').getRequest({ id })).approvals).toHaveLength(1)
    }
  })

  test('one who approves twice at the same time counts once', async () => {
    const { id } = await ask(world.as('alice'), 'writer')
    const codes = await Promise.all([1, 2, 3].map(() => outcomeOf(world.as('carol').approveRequest({ id }))))
    expect(codes.toSorted()).toEqual(['already-answered', 'already-answered', 'done'])
    expect((await world.as('alice').getRequest({ id })).status).toBe('pending')
  })

  test('a yes, a no and a taking back at the same time settle a request once', async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await ask(world.as('alice'), 'readonly')
      const answers = [
        world.as('carol').approveRequest({ id }),
        world.as('dora').denyRequest({ id }),
        world.as('alice').cancelRequest({ id }),
      ]
      const codes = await Promise.all(answers.map(outcomeOf))
      expect(codes.toSorted()).toEqual(['done', 'request-settled', 'request-settled'])
      const settling = (await entryTypesOf(world.admin, { request: id })).filter((type) =>
        /approved|denied|cancelled/.test(type),
      )
      expect(settling).toHaveLength(1)
    }
  })

  test('a no settles a request, and nothing opens it again', async () => {
    const { id } = await ask(world.as('alice'), 'writer')
    await world.as('carol').approveRequest({ id })
    const denied = await world.as('erin').denyRequest({ id, comment: 'Not on a Friday' })
    expect(denied).toMatchObject({ status: 'denied', waitingFor: [] })
    expect(denied.grant).toBeUndefined()
    expect(await outcomeOf(world.as('dora').approveRequest({ id }))).toBe('request-settled')
    expect(await outcomeOf(world.as('alice').cancelRequest({ id }))).toBe('request-settled')
  })

  test('only its requester takes a request back, and only once', async () => {
    const { id } = await ask(world.as('alice'), 'writer')
    for (const who of ['bob', 'carol', 'dora'])
      expect(await outcomeOf(world.as(who).cancelRequest({ id }))).toBe('not-found')
    expect((await world.as('alice').cancelRequest({ id })).status).toBe('cancelled')
    expect(await outcomeOf(world.as('alice').cancelRequest({ id }))).toBe('request-settled')
    expect(await outcomeOf(world.as('carol').approveRequest({ id }))).toBe('request-settled')
  })

  test('everyone concerned sees who handled a request, and it leaves the list of what waits for them', async () => {
    const { id } = await ask(world.as('alice'), 'readonly')
    const waiting = async (who: string): Promise<boolean> =>
      (await world.as(who).listRequests({ awaiting: 'me', limit: 500 })).items.some((one) => one.id === id)
    expect([await waiting('carol'), await waiting('dora'), await waiting('erin')]).toEqual([true, true, false])
    await world.as('carol').approveRequest({ id, comment: 'Go ahead' })
    expect([await waiting('carol'), await waiting('dora')]).toEqual([false, false])
    for (const who of ['alice', 'carol', 'dora', 'sam']) {
      const seen = await world.as(who).getRequest({ id })
      expect(seen.approvals).toMatchObject([
        { approver: 'user:carol', verdict: 'approve', comment: 'Go ahead', as: ['team-leads'] },
      ])
      expect(Date.parse(seen.settledAt as string)).toBe(world.clock.now())
    }
  })

  test('the store itself refuses a second answer of one person', async () => {
    const { id } = await ask(world.as('alice'), 'writer')
    await world.as('carol').approveRequest({ id })
    const columns = 'request, approver, verdict, as_specs, comment, at'
    const again = `insert into approval (id, ${columns}) select 'apr_2', ${columns} from approval where request = $1`
    await expect(inStore(world.store, again, [id])).rejects.toThrow(/approval_request_approver_key/)
  })

  test('a request that nobody answers expires at its instant, and not a moment before', async () => {
    const [answered, forgotten] = [await ask(world.as('alice'), 'readonly'), await ask(world.as('alice'), 'readonly')]
    world.clock.set(Date.parse(forgotten.pendingUntil) - 1)
    await world.server.drain()
    expect((await world.as('dora').approveRequest({ id: answered.id })).status).toBe('approved')
    expect((await world.as('alice').getRequest({ id: forgotten.id })).status).toBe('pending')
    world.clock.advance(1)
    expect(await outcomeOf(world.as('dora').approveRequest({ id: forgotten.id }))).toBe('request-settled')
    await world.server.drain()
    expect((await world.as('alice').getRequest({ id: forgotten.id })).status).toBe('expired')
    expect(await entryTypesOf(world.admin, { request: forgotten.id })).toEqual(['request.filed', 'request.expired'])
  })
})

async function approved(world: World, role: string, approvers: readonly string[], duration?: string): Promise<Request> {
  let request = await ask(world.as('alice'), role, duration)
  for (const who of approvers) request = await world.as(who).approveRequest({ id: request.id })
  expect(request.status).toBe('approved')
  return request
}

test('approvers are whoever is in the group when they answer: who left may not, who joined may', async () => {
  const world = await createWorldForTest({ files })
  const { id } = await ask(world.as('alice'), 'readonly')
  await applyEdited(world, 'people.yaml', [
    'id: team-leads, members: [carol, dora]',
    'id: team-leads, members: [erin, dora]',
  ])
  expect(await outcomeOf(world.as('carol').approveRequest({ id }))).toBe('not-an-approver')
  expect(await outcomeOf(world.as('carol').getRequest({ id }))).toBe('not-found')
  expect((await world.as('erin').approveRequest({ id })).status).toBe('approved')
})

test('a request of someone who is permitted it no longer is not approved', async () => {
  const world = await createWorldForTest({ files })
  const { id } = await ask(world.as('alice'), 'readonly')
  await applyEdited(world, 'access.cedar', [
    'permit (principal, action == Action::"access", resource in Label::"service=orders") when { resource.risk == "low" };',
    'permit (principal in Group::"second-leads", action == Action::"access", resource in Label::"service=orders") when { resource.risk == "low" };',
  ])
  await expect(world.as('dora').approveRequest({ id })).rejects.toMatchObject({
    code: 'policy-refuses',
    details: { decision: { outcome: 'deny', cause: 'no-policy' } },
  })
  expect((await world.as('dora').denyRequest({ id })).status).toBe('denied')
})

test('policy that was lowered after the approval shortens the grant when it is activated', async () => {
  const world = await createWorldForTest({ files })
  const request = await approved(world, 'readonly', ['carol'], '8h')
  await applyEdited(world, 'access.cedar', ['@max_duration("8h")', '@max_duration("20m")'])
  const { grant, credential } = await world.as('alice').activateGrant({ id: request.grant as string })
  const end = new Date(world.clock.now() + 20 * 60_000).toISOString()
  expect(grant).toMatchObject({ durationSeconds: 1_200, expiresAt: end })
  expect(credential.expiresAt).toBe(end)
})

test('policy that asks for more people after the approval refuses the activation until it asks for fewer', async () => {
  const world = await createWorldForTest({ files })
  const request = await approved(world, 'readonly', ['carol'])
  const id = request.grant as string
  await applyEdited(world, 'access.cedar', [
    '@approvers("team-leads") @max',
    '@approvers("team-leads") @approvals("2") @max',
  ])
  await expect(world.as('alice').activateGrant({ id })).rejects.toMatchObject({
    code: 'policy-refuses',
    details: { decision: { outcome: 'approve' } },
  })
  await world.admin.applyConfig({ files: world.files })
  expect((await world.as('alice').activateGrant({ id })).grant.state).toBe('active')
})

test('policy that was withdrawn after the approval refuses the activation, and says why', async () => {
  const world = await createWorldForTest({ files })
  const request = await approved(world, 'writer', ['carol', 'erin'])
  await world.admin.applyConfig({ files: world.files.filter(({ path }) => path !== 'access.cedar') })
  await expect(world.as('alice').activateGrant({ id: request.grant as string })).rejects.toMatchObject({
    code: 'policy-refuses',
    details: { decision: { outcome: 'deny', cause: 'no-policy' } },
  })
})
