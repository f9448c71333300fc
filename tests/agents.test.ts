/** Agents: less than whom they act for, known by tokens of their own, and stopped by themselves. */

import { expect, test, vi } from 'vitest'
import type { Client, Output } from '@tidegate/api'
import { createClient } from '@tidegate/api'
import { loginsOn, logIn, opened, outcomeOf, permitted } from './support/access.ts'
import { entriesOf, inStore } from './support/story.ts'
import { identityYaml, loginOf } from './support/sign-in.ts'
import type { Parts, World } from './support/tidegate.ts'
import { createWorldForTest, defaultFiles } from './support/tidegate.ts'

// Each starts a Tidegate and a target: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

const withAgents = (parts: Parts): World['files'] => [
  ...defaultFiles(parts).map(({ path, text }) => ({
    path,
    text: text.replace(
      'id: engineers, members: [alice,',
      'id: engineers, members: [agent:helper, agent:reader, agent:deployer, agent:lame, alice,',
    ),
  })),
  {
    path: 'agents.yaml',
    text: `
agents:
  - { id: helper, user: alice }
  - { id: reader, agent: helper }
  - { id: deployer, service: ci }
  - { id: lame, user: sam }
  - { id: stranger, user: bob }
`,
  },
  { path: 'identity.yaml', text: identityYaml({ issuer: 'https://nobody.invalid', clientId: 'tidegate' }) },
]

const worldWithAgents = (): Promise<World> => createWorldForTest({ files: withAgents })

type Made = Output<'createAgentToken'>

const clientOf = ({ server }: World, { token }: Pick<Made, 'token'>): Client => createClient({ url: server.url, token })

const agentOf = async (world: World, by: string, id: string): Promise<Client> =>
  clientOf(world, await world.as(by).createAgentToken({ id }))

test('whom an agent acts for makes it a token, and it asks, opens and works in its own name', async () => {
  const world = await worldWithAgents()
  const made = await world.as('alice').createAgentToken({ id: 'helper', lasts: '10m' })
  expect(made).toMatchObject({ principal: 'agent:helper', actsFor: ['user:alice'] })
  expect(made.token).toMatch(/^tdm_[A-Za-z0-9_-]{43}$/)
  const helper = clientOf(world, made)
  expect(await helper.whoami({})).toMatchObject({
    principal: 'agent:helper',
    administrator: false,
    authentication: { method: 'delegation', mfa: false, phishingResistant: false },
    tokenExpiresAt: made.expiresAt,
  })
  const { grant, credential } = await opened(helper)
  expect(grant.principal).toBe('agent:helper')
  await (await logIn(credential)).query('select 1')
  const [filed] = await entriesOf(world.admin, { request: grant.request })
  expect(filed).toMatchObject({
    type: 'request.filed',
    disclosed: { '/principal': 'agent:helper', '/onBehalfOf': 'user:alice' },
  })
})

test('an agent has what all of its chain have: less than its person, and nothing that any of them lacks', async () => {
  const world = await worldWithAgents()
  const answers: Record<string, string> = {}
  for (const [by, id] of [
    ['alice', 'helper'],
    ['ci', 'deployer'],
    ['sam', 'lame'],
    ['bob', 'stranger'],
  ] as const) {
    const answer = await (await agentOf(world, by, id)).ask({ role: 'orders-db/readonly', duration: '30m' })
    answers[id] = `${answer.outcome}: ${answer.reasons[0]}`
  }
  expect(answers).toEqual({
    helper: 'permit: Permitted by engineers-read.',
    deployer: 'permit: Permitted by engineers-read.',
    lame: 'deny: For its user: No policy permits this.',
    stranger: 'deny: For the agent: No policy permits this.',
  })
})

test('an agent of an agent is told apart, and every entry and decision has the whole chain', async () => {
  const world = await worldWithAgents()
  const helper = await agentOf(world, 'alice', 'helper')
  const reader = clientOf(world, await helper.createAgentToken({ id: 'reader' }))
  const { id, decision } = await reader.createRequest({
    role: 'orders-db/readonly',
    duration: '30m',
    reason: 'Reading',
  })
  const [filed] = await entriesOf(world.admin, { request: id })
  expect(filed).toMatchObject({
    entry: { through: ['agent:helper'] },
    disclosed: { '/principal': 'agent:reader', '/onBehalfOf': 'user:alice' },
  })
  const [row] = await inStore(world.store, `select question->'principal' as principal from decision where id = $1`, [
    decision.id,
  ])
  expect(row?.['principal']).toMatchObject({
    id: 'reader',
    actsFor: { id: 'helper', actsFor: { kind: 'user', id: 'alice' } },
  })
})

test('nobody makes a token for an agent that acts for another, whatever else they are', async () => {
  const world = await worldWithAgents()
  const helper = await agentOf(world, 'alice', 'helper')
  for (const client of [world.as('bob'), world.as('dora'), world.as('ci'), helper])
    expect(await outcomeOf(client.createAgentToken({ id: 'helper' }))).toBe('not-found')
  // An agent's agent is its agent's, not its person's.
  expect(await outcomeOf(world.as('alice').createAgentToken({ id: 'reader' }))).toBe('not-found')
  expect(await outcomeOf(world.as('alice').createAgentToken({ id: 'helper', lasts: '7h' }))).toBe('invalid-input')
})

test('an agent never answers, whatever groups it is in, and never for whom it acts', async () => {
  const world = await worldWithAgents()
  const helper = await agentOf(world, 'alice', 'helper')
  const { id } = await world.as('bob').createRequest({ role: 'orders-db/writer', duration: '30m', reason: 'Mending' })
  expect(await outcomeOf(helper.approveRequest({ id }))).toBe('forbidden')
  expect(await outcomeOf(helper.killAgent({ id: 'helper', reason: 'x' }))).toBe('forbidden')
})

test('an agent’s token is over with the login that it was made through, and by its time', async () => {
  const world = await worldWithAgents()
  const secret = await loginOf(world, 'alice')
  const asAlice = async (path: string, body: object): Promise<unknown> => {
    const headers = {
      cookie: `__Host-tidegate=${secret}`,
      'x-tidegate-request': '1',
      origin: world.server.url,
      'content-type': 'application/json',
    }
    const answer = await fetch(`${world.server.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    return answer.json()
  }
  const make = async (id: string, lasts: string) =>
    clientOf(world, (await asAlice(`/v1/agents/${id}/token`, { lasts })) as Made)
  const [short, long] = [await make('helper', '5m'), await make('helper', '30m')]
  const reader = clientOf(world, await long.createAgentToken({ id: 'reader' }))
  world.clock.advance(5 * 60_000)
  expect(await outcomeOf(short.whoami({}))).toBe('unauthenticated')
  expect(await outcomeOf(reader.whoami({}))).toBe('done')
  const [login] = (await world.admin.listLogins({ principal: 'user:alice' })).items
  await world.admin.endLogin({ id: login?.id ?? '' })
  expect(await outcomeOf(long.whoami({}))).toBe('unauthenticated')
  expect(await outcomeOf(reader.whoami({}))).toBe('unauthenticated')
})

test('a killed agent loses its tokens, sessions and grants, and those of agents for it; its person keeps theirs', async () => {
  const world = await worldWithAgents()
  const helper = await agentOf(world, 'alice', 'helper')
  const reader = clientOf(world, await helper.createAgentToken({ id: 'reader' }))
  const [ofAlice, ofHelper, ofReader] = [await opened(world.as('alice')), await opened(helper), await opened(reader)]
  const waiting = await permitted(helper)
  const sessions = [await logIn(ofAlice.credential), await logIn(ofHelper.credential), await logIn(ofReader.credential)]
  const killed = await world.as('alice').killAgent({ id: 'helper', reason: 'It drops tables' })
  expect(killed).toMatchObject({ loginsEnded: 2, grantsEnded: 3, agent: { killed: { by: 'user:alice' }, logins: 0 } })
  await world.server.drain()
  await Promise.all([sessions[1]?.cut, sessions[2]?.cut])
  expect(sessions[0]?.isCut()).toBe(false)
  expect(await loginsOn(world.target)).toHaveLength(1)
  for (const client of [helper, reader]) expect(await outcomeOf(client.whoami({}))).toBe('unauthenticated')
  expect(await outcomeOf(world.as('alice').createAgentToken({ id: 'helper' }))).toBe('not-found')
  expect((await world.admin.getGrant({ id: waiting })).state).toBe('ended')
  const entry = (await entriesOf(world.admin)).find(({ type }) => type === 'agent.killed')
  expect(entry).toMatchObject({ entry: { agent: 'helper', logins: 2, grants: 3 }, disclosed: { '/by': 'user:alice' } })
})

test('a killed agent is restored by whom killed it and by administrators, and has to prove anew who it is', async () => {
  const world = await worldWithAgents()
  const helper = await agentOf(world, 'alice', 'helper')
  await world.as('dora').killAgent({ id: 'helper', reason: 'Looks odd' })
  expect(await outcomeOf(world.as('alice').restoreAgent({ id: 'helper' }))).toBe('forbidden')
  expect(await outcomeOf(world.as('bob').restoreAgent({ id: 'helper' }))).toBe('not-found')
  expect(await outcomeOf(world.as('sam').killAgent({ id: 'helper', reason: 'x' }))).toBe('forbidden')
  expect((await world.as('dora').restoreAgent({ id: 'helper' })).killed).toBeUndefined()
  expect(await outcomeOf(helper.whoami({}))).toBe('unauthenticated')
  expect(await outcomeOf((await agentOf(world, 'alice', 'helper')).whoami({}))).toBe('done')
})

test('the owner of a service stops its agents; people see those that act for them, and auditors all', async () => {
  const world = await worldWithAgents()
  const ids = async (who: string): Promise<string[]> => (await world.as(who).listAgents({})).items.map(({ id }) => id)
  expect(await ids('alice')).toEqual(['helper', 'reader'])
  expect(await ids('carol')).toEqual(['deployer'])
  expect(await ids('ci')).toEqual(['deployer'])
  expect(await ids('sam')).toEqual(['deployer', 'helper', 'lame', 'reader', 'stranger'])
  expect(await outcomeOf(world.as('carol').killAgent({ id: 'deployer', reason: 'Not now' }))).toBe('done')
})

test('logins of machines are seen and ended by whoever answers for them, and by nobody else', async () => {
  const world = await worldWithAgents()
  const helper = await agentOf(world, 'alice', 'helper')
  const reader = clientOf(world, await helper.createAgentToken({ id: 'reader' }))
  const deployer = await agentOf(world, 'ci', 'deployer')
  const seen = async (client: Client): Promise<string[]> =>
    (await client.listMachineLogins({ open: 'true' })).items.map(({ principal }) => principal).toSorted()
  expect(await seen(world.as('alice'))).toEqual(['agent:helper', 'agent:reader'])
  expect(await seen(world.as('carol'))).toEqual(['agent:deployer'])
  expect(await seen(world.as('ci'))).toEqual(['agent:deployer'])
  expect(await seen(world.as('sam'))).toEqual(['agent:deployer', 'agent:helper', 'agent:reader'])
  expect(await seen(world.as('bob'))).toEqual([])
  expect(await seen(helper)).toEqual(['agent:helper', 'agent:reader'])
  expect(await seen(reader)).toEqual(['agent:reader'])

  const { items: both } = await helper.listMachineLogins({})
  const [ofReader, ofHelper] = ['agent:reader', 'agent:helper'].map((one) =>
    both.find(({ principal }) => principal === one),
  )
  expect(ofHelper).toMatchObject({ by: 'delegation', bound: false, current: true })
  const id = ofHelper?.id ?? ''
  expect(await outcomeOf(world.as('bob').endMachineLogin({ id }))).toBe('not-found')
  expect(await outcomeOf(reader.endMachineLogin({ id }))).toBe('not-found')
  expect(await outcomeOf(world.as('sam').endMachineLogin({ id }))).toBe('forbidden')
  expect(await world.as('alice').endMachineLogin({ id })).toMatchObject({ id, endReason: 'ended' })
  expect(await world.as('alice').endMachineLogin({ id })).toMatchObject({ id, endReason: 'ended' })
  // What was made through it is over with it.
  for (const client of [helper, reader]) expect(await outcomeOf(client.whoami({}))).toBe('unauthenticated')
  expect(await outcomeOf(deployer.whoami({}))).toBe('done')
  const { items } = await world.as('carol').listMachineLogins({ principal: 'agent:deployer' })
  expect(await deployer.endMachineLogin({ id: items[0]?.id ?? '' })).toMatchObject({ endReason: 'done' })
  expect(await outcomeOf(world.as('dora').endMachineLogin({ id: ofReader?.id ?? '' }))).toBe('done')
  const ended = (await entriesOf(world.admin)).filter(({ type }) => type === 'machine-login.ended')
  expect(ended.map(({ entry, disclosed }) => [entry['reason'], disclosed['/by']])).toEqual([
    ['ended', 'user:alice'],
    ['done', 'agent:deployer'],
    ['ended', 'user:dora'],
  ])
})
