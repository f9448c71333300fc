/** What gateways ask about statements, and what becomes of it whatever is lost on the way. */

import type { Client, Input } from '@tidegate/api'
import { opens } from '@tidegate/audit'
import { describe, expect, test } from 'vitest'
import { statementLimits } from '../packages/server/src/statements/limits.ts'
import { opened, outcomeOf } from './support/access.ts'
import type { Gateway } from './support/gateways.ts'
import { createGatewayWorld, joined, newSession, reportsOf } from './support/gateways.ts'
import { entriesOf, inStore } from './support/story.ts'
import type { World } from './support/tidegate.ts'

type Question = Input<'askStatement'>
type Outcome = 'run' | 'refused' | 'timed-out' | 'cancelled' | 'session-ended' | 'not-here'

let ids = 0
const newId = (): string => `stm_${String(++ids).padStart(26, '0')}`

/** Alice has an open session at a gateway; Bob owns the resource. */
async function createScene() {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  const { grant } = await opened(world.as('alice'))
  const session = newSession()
  const reports = reportsOf(world, { session, grant: grant.id })
  const at = (): string => new Date(world.clock.now()).toISOString()
  const question = (change: Partial<Question> = {}): Question => ({
    id: newId(),
    session,
    number: ids,
    rule: 'ask',
    about: 'DELETE on shop.orders needs the approval of a person',
    approvers: [['owner']],
    withinSeconds: 600,
    text: 'delete from shop.orders where id = $1',
    parameters: [{ text: '7' }],
    ...change,
  })
  const tell = async (statement: string, outcome: Outcome, by: Gateway = gateway): Promise<number> =>
    (await by.client.reportSessions({ reports: [{ what: 'statement', session, at: at(), statement, outcome }] }))
      .refused.length
  const asked = async (change: Partial<Question> = {}): Promise<string> => {
    const one = question(change)
    await gateway.client.askStatement(one)
    return one.id
  }
  const told = async (client: Client = gateway.client) => (await client.syncGateway({ waitMs: 0 })).statements
  const entries = async () =>
    (await entriesOf(world.admin, { grant: grant.id })).filter(({ type }) => type.startsWith('statement.'))
  await gateway.client.reportSessions({ reports: [reports.opened()] })
  const bob = world.as('bob')
  return { world, gateway, grant: grant.id, session, reports, question, asked, tell, told, entries, bob }
}

const statusOf = async ({ world }: { world: World }, id: string): Promise<string> =>
  (await world.admin.getStatement({ id })).status

describe('a question', () => {
  test('that is asked again is the one that was asked, and stands in the log once', async () => {
    const { gateway, question, entries, world } = await createScene()
    const one = question()
    const first = await gateway.client.askStatement(one)
    world.clock.advance(1_000)
    const again = await Promise.all([gateway.client.askStatement(one), gateway.client.askStatement(one)])
    expect([first, ...again]).toEqual([first, first, first])
    expect(await entries()).toHaveLength(1)
  })

  test('is committed to in the log, and what a recording has opens that, after its text is erased', async () => {
    const { world, asked, bob, entries } = await createScene()
    const id = await asked()
    await bob.denyStatement({ id })
    const { salt, text } = await world.as('alice').getStatement({ id })
    expect(text).toBeUndefined()
    const commitment = (await entries())[0]?.entry['commitment'] as `c1:${string}`
    const value = { text: 'delete from shop.orders where id = $1', parameters: [{ text: '7' }] }
    const opening = { salt: Buffer.from(salt, 'base64url'), value }
    expect(opens(commitment, opening)).toBe(true)
    expect(opens(commitment, { ...opening, value: { ...value, parameters: [{ text: '8' }] } })).toBe(false)
    expect(await inStore(world.store, 'select contents from access_statement')).toEqual([{ contents: null }])
  })

  test('is about a session of this gateway that is open, and counted once', async () => {
    const { world, gateway, question, session } = await createScene()
    const ask = (by: Gateway, one: Question): Promise<string> => outcomeOf(by.client.askStatement(one))
    const other = await joined(world, { id: 'gw-2' })
    const one = question()
    expect(await ask(other, one)).toBe('not-found')
    expect(await ask(gateway, { ...one, session: newSession() })).toBe('not-found')
    expect(await ask(gateway, one)).toBe('done')
    expect(await ask(gateway, { ...question(), number: one.number })).toBe('not-found')
    const elsewhere = newSession()
    const { grant } = await opened(world.as('carol'))
    const reports = reportsOf(world, { session: elsewhere, grant: grant.id })
    await gateway.client.reportSessions({ reports: [reports.opened()] })
    expect(await ask(gateway, { ...one, session: elsewhere })).toBe('not-found')
    expect((await world.as('bob').listStatements({ awaiting: 'me' })).items.map(({ session: of }) => of)).toEqual([
      session,
    ])
  })

  test('is not asked once the grant or the session is over', async () => {
    const { world, gateway, question, grant, reports } = await createScene()
    await world.as('alice').endGrant({ id: grant })
    expect(await outcomeOf(gateway.client.askStatement(question()))).toBe('grant-ended')
    await gateway.client.reportSessions({ reports: [reports.ended()] })
    expect(await outcomeOf(gateway.client.askStatement(question()))).toBe('grant-ended')
  })

  test('is one of few in a while: a client in a loop is refused, and not for ever', async () => {
    const { world, gateway, asked, question, tell } = await createScene()
    for (let i = 0; i < statementLimits.asked; i++) await tell(await asked(), 'cancelled')
    expect(await outcomeOf(gateway.client.askStatement(question()))).toBe('statement-limit')
    world.clock.advance(statementLimits.askedWithin)
    expect(await outcomeOf((await gateway.at()).askStatement(question()))).toBe('done')
  })
})

describe('an answer', () => {
  test('is told to its gateway, by any server, until that has said what became of it', async () => {
    const { world, gateway, asked, tell, told, bob } = await createScene()
    const other = await joined(world, { id: 'gw-2' })
    const id = await asked()
    expect(await told()).toEqual([])
    const { cursor } = await gateway.client.syncGateway({ waitMs: 0 })
    const waiting = gateway.client.syncGateway({ cursor, waitMs: 20_000 })
    await bob.approveStatement({ id })
    expect((await waiting).statements).toMatchObject([{ statement: id, answer: 'yes' }])
    expect(await told()).toHaveLength(1)
    expect(await told(other.client)).toEqual([])
    const server = await world.startAnother()
    const elsewhere = await gateway.at(server.url)
    expect(await told(elsewhere)).toHaveLength(1)
    expect([await tell(id, 'run'), await tell(id, 'run')]).toEqual([0, 0])
    expect(await told(await gateway.at((await world.startAnother()).url))).toEqual([])
    expect(await statusOf({ world }, id)).toBe('run')
  })

  test('that is a no says who, and what they said', async () => {
    const { asked, told, bob } = await createScene()
    await bob.denyStatement({ id: await asked(), comment: 'Use the replica' })
    expect(await told()).toMatchObject([{ answer: 'no', why: 'user:bob said no: Use the replica' }])
  })

  test('that is lost is given again by the same person, and is the same', async () => {
    const { asked, bob, entries } = await createScene()
    const id = await asked()
    const first = await bob.approveStatement({ id, comment: 'Go' })
    expect(await bob.approveStatement({ id })).toEqual(first)
    expect(await outcomeOf(bob.denyStatement({ id }))).toBe('statement-settled')
    expect((await entries()).map(({ type }) => type)).toEqual(['statement.asked', 'statement.approved'])
  })
})

describe('what a gateway says became of a statement', () => {
  test('is not believed where nobody has approved it, nor of another gateway', async () => {
    const { world, asked, tell, bob } = await createScene()
    const other = await joined(world, { id: 'gw-2' })
    const [pending, denied, approved] = [await asked(), await asked(), await asked()]
    await bob.denyStatement({ id: denied })
    await bob.approveStatement({ id: approved })
    expect([await tell(pending, 'run'), await tell(denied, 'run'), await tell(newId(), 'run')]).toEqual([1, 1, 1])
    expect(await tell(approved, 'run', other)).toBe(1)
    const states = await Promise.all([pending, denied, approved].map((id) => statusOf({ world }, id)))
    expect(states).toEqual(['pending', 'denied', 'approved'])
  })

  test.each<readonly [Outcome, string, string]>([
    ['timed-out', 'expired', 'abandoned'],
    ['cancelled', 'abandoned', 'abandoned'],
    ['session-ended', 'abandoned', 'abandoned'],
    ['not-here', 'abandoned', 'abandoned'],
  ])('%s leaves one that waited %s, and one that was approved %s', async (outcome, waited, approved) => {
    const { world, asked, tell, told, bob, entries } = await createScene()
    const [one, other] = [await asked(), await asked()]
    await bob.approveStatement({ id: other })
    for (const id of [one, other, one, other]) expect(await tell(id, outcome)).toBe(0)
    expect([await statusOf({ world }, one), await statusOf({ world }, other)]).toEqual([waited, approved])
    expect(await outcomeOf(bob.denyStatement({ id: one }))).toBe('statement-settled')
    expect(await told()).toEqual([])
    expect((await entries()).map(({ type }) => type)).toEqual([
      'statement.asked',
      'statement.asked',
      'statement.approved',
      `statement.${waited}`,
      `statement.${approved}`,
    ])
  })

  test('is believed of an approved statement also after its session was lost', async () => {
    const { world, gateway, asked, bob, session, entries } = await createScene()
    const id = await asked()
    await bob.approveStatement({ id })
    await world.admin.removeGateway({ id: gateway.id })
    expect(await statusOf({ world }, id)).toBe('abandoned')
    const again = await joined(world)
    const at = new Date(world.clock.now()).toISOString()
    const run = { what: 'statement', session, at, statement: id, outcome: 'run' } as const
    expect((await again.client.reportSessions({ reports: [run] })).refused).toEqual([])
    expect((await entries()).map(({ type }) => type)).toEqual([
      'statement.asked',
      'statement.approved',
      'statement.abandoned',
      'statement.run',
    ])
  })
})

describe('a statement that nobody waits for', () => {
  test('goes with its session, in one batch with its end', async () => {
    const { world, gateway, asked, reports, told, bob } = await createScene()
    const id = await asked()
    await gateway.client.reportSessions({ reports: [reports.ended()] })
    expect(await world.admin.getStatement({ id })).toMatchObject({ status: 'abandoned', because: 'its session ended' })
    expect(await outcomeOf(bob.approveStatement({ id }))).toBe('statement-settled')
    expect(await told()).toEqual([])
  })

  test('goes with its gateway', async () => {
    const { world, gateway, asked } = await createScene()
    const id = await asked()
    await world.admin.removeGateway({ id: gateway.id })
    expect(await statusOf({ world }, id)).toBe('abandoned')
  })

  test('is settled by the clock where its gateway says nothing, and that is told it', async () => {
    const { world, asked, bob, told } = await createScene()
    const id = await asked({ withinSeconds: 60 })
    world.clock.advance(59_999)
    await world.server.drain()
    expect(await statusOf({ world }, id)).toBe('pending')
    world.clock.advance(1)
    expect(await outcomeOf(bob.approveStatement({ id }))).toBe('statement-settled')
    expect((await bob.listStatements({ awaiting: 'me' })).items).toEqual([])
    await world.server.drain()
    expect(await statusOf({ world }, id)).toBe('expired')
    expect(await told()).toMatchObject([{ statement: id, answer: 'no', why: 'nobody answered in time' }])
  })

  test('is settled with its grant where its gateway says nothing', async () => {
    const { world, asked, bob, grant, told } = await createScene()
    const id = await asked()
    await world.as('alice').endGrant({ id: grant })
    expect(await outcomeOf(bob.approveStatement({ id }))).toBe('statement-settled')
    await world.server.drain()
    expect(await world.admin.getStatement({ id })).toMatchObject({ status: 'abandoned', because: 'its grant ended' })
    expect(await told()).toMatchObject([{ statement: id, answer: 'no' }])
  })
})

test('the store refuses what nobody approved, what is one’s own, and a text that is another', async () => {
  const { world, asked } = await createScene()
  const id = await asked()
  const set = (text: string): Promise<string> =>
    outcomeOf(inStore(world.store, `update access_statement set ${text} where id = $1`, [id]))
  const settled = `contents = null, settled_at = asked_at`
  const by = (who: string): string => `answered_by = '${who}', answered_as = '{owner}', answered_at = asked_at`
  expect({
    run: await set(`status = 'run', ${settled}, ${by('user:bob')}`),
    unanswered: await set(`status = 'approved', ${settled}`),
    own: await set(`status = 'approved', ${settled}, ${by('user:alice')}`),
    kept: await set(`status = 'approved', settled_at = asked_at, ${by('user:bob')}`),
    exchanged: await set(`contents = '\\x00'`),
    moved: await set(`number = number + 1`),
  }).toEqual({ run: '23514', unanswered: '23514', own: '23514', kept: '23514', exchanged: '23514', moved: '23514' })
  expect(await set(`status = 'approved', ${settled}, ${by('user:bob')}`)).toBe('done')
  expect(await set(`status = 'pending', contents = '\\x00', settled_at = null`)).toBe('23514')
})
