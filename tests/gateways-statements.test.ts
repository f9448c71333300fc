/** Statements that a person has to approve, end to end: servers, a gateway, a target and clients, all real. */

import type { Client } from '@tidegate/api'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { cancelPacket, readAll, ring } from '../packages/gateway/src/postgres/testing/wire.ts'
import { createTestClock } from '../packages/gateway/src/postgres/testing/clock.ts'
import { run } from '../packages/gateway/src/postgres/testing/psql.ts'
import { libpqOf, onTarget, outcomeOf } from './support/access.ts'
import { hasProgram } from './support/programs.ts'
import { entriesOf, everythingIn } from './support/story.ts'
import type { Asking } from './support/statements.ts'
import {
  awaiting,
  closeSpare,
  connect,
  createAskingWorld,
  createAskingWorldForTest,
  maintaining,
  reaching,
  shown,
  statementEntries,
} from './support/statements.ts'
import type { Parts } from './support/tidegate.ts'

const hasPsql = hasProgram('psql', 'apt-get install postgresql-client')

/** Each rule has approvers of its own. */
const rules = [
  { statements: ['DELETE'], tables: ['shop.orders'] },
  { statements: ['DELETE'], tables: ['shop.order_items'], approvers: ['team-leads'] },
  { statements: ['DELETE'], tables: ['shop.customers'], approvers: ['security'] },
  { statements: ['DELETE'], tables: ['shop.products'], within: '1s' },
]
const guard = JSON.stringify({ ask: rules })

const token = (hash: string): string => `tokens: [{ hash: '${hash}', expires: '2099-01-01T00:00:00Z' }]`

const people = ({ hashOf }: Parts): string => `
agents:
  - { id: helper, user: bob, ${token(hashOf('helper'))} }
`

let asking: Asking
let bob: Client
beforeAll(async () => {
  asking = await createAskingWorld({
    guard,
    people,
  })
  bob = asking.world.as('bob')
})
afterAll(() => asking.stop())

let next = 0
/** An order that nobody else deletes. */
const order = (): number => ++next

const isThere = async (id: number, { world } = asking): Promise<boolean> =>
  (await onTarget(world.target, 'select from shop.orders where id = $1', [id])).length === 1

const deleting = (id: number): string => `delete from shop.orders where id = ${id}`

/** Looked at later. */
const later = <T>(work: Promise<T>): Promise<T> => {
  work.catch(() => undefined)
  return work
}

async function openAs(who = 'alice') {
  const { grant, credential } = await maintaining(asking, who)
  return { grant, credential, ...(await connect(credential)) }
}

/** Alice waits for a yes to the deletion of an order. */
async function waiting() {
  const session = await openAs()
  const id = order()
  const deleted = later(session.query(deleting(id)))
  const statement = await shown(bob)
  return { ...session, order: id, deleted, statement }
}

const counted = async (grant: string, type: string): Promise<number> =>
  (await statementEntries(asking, grant)).filter((one) => one === type).length

describe('a statement that needs approval', () => {
  test('runs when an approver says yes, and everything about it is in the log but what it says', async () => {
    const { query, notices, grant } = await openAs()
    const id = order()
    const text = "delete from shop.orders where id = $1 and status <> 'sec-ret'"
    const deleted = query(text, [id])
    const statement = await shown(bob)
    expect(statement).toMatchObject({
      principal: 'user:alice',
      role: 'orders-db/maintainer',
      grant: grant.id,
      gateway: 'gw-1',
      number: 1,
      rule: 'ask',
      approvers: [['owner']],
      status: 'pending',
      text,
      parameters: [{ text: String(id) }],
    })
    expect(await isThere(id)).toBe(true)
    await bob.approveStatement({ id: statement.id, comment: 'Go ahead' })
    expect((await deleted).rowCount).toBe(1)
    expect(notices).toEqual([expect.stringContaining('waiting for approval of this statement: DELETE on shop.orders')])
    const over = await reaching(asking.world.as('alice'), statement.id, 'run')
    expect(over).toMatchObject({ answer: { approver: 'user:bob', as: ['owner'], comment: 'Go ahead' } })
    expect(over.text).toBeUndefined()
    expect(await statementEntries(asking, grant.id)).toEqual(['statement.asked', 'statement.approved', 'statement.run'])
    expect(await everythingIn(asking.world.store)).not.toContain('sec-ret')
  })

  test('is refused with the words of who said no, in both protocols, and its session goes on', async () => {
    const { query, grant } = await openAs()
    for (const values of [undefined, []]) {
      const id = order()
      const deleted = later(query(deleting(id), values))
      const statement = await shown(bob)
      await bob.denyStatement({ id: statement.id, comment: 'Cancel the order\ninstead' })
      await expect(deleted).rejects.toMatchObject({
        severity: 'ERROR',
        code: '42501',
        message: 'DELETE on shop.orders needs the approval of a person; user:bob said no: Cancel the order instead',
        hint: expect.stringContaining('"ask"'),
      })
      expect((await query('select 1 as one')).rows).toEqual([{ one: 1 }])
      expect(await isThere(id)).toBe(true)
    }
    expect(await counted(grant.id, 'statement.denied')).toBe(2)
  })

  test.skipIf(!hasPsql)(
    'waits in psql in the middle of a transaction, which goes on as after any statement',
    async () => {
      const { credential } = await maintaining(asking, 'alice')
      const [kept, gone] = [order(), order()]
      const input = `begin;\n${deleting(gone)};\ncommit;\nbegin;\n${deleting(kept)};\nselect 1;\ncommit;\nselect 'after';\n`
      const env = libpqOf(credential)
      const ran = run('psql', ['-X', '-At'], { env, input })
      await bob.approveStatement({ id: (await shown(bob)).id })
      await bob.denyStatement({ id: (await shown(bob)).id })
      const { stdout, stderr } = await ran
      expect(stdout.split('\n')).toEqual(['BEGIN', 'DELETE 1', 'COMMIT', 'BEGIN', 'ROLLBACK', 'after', ''])
      expect(stderr).toContain('NOTICE:  waiting for approval of this statement: DELETE on shop.orders')
      expect(stderr).toContain('current transaction is aborted')
      expect([await isThere(gone), await isThere(kept)]).toEqual([false, true])
    },
  )
})

describe('an approval', () => {
  test('is for one execution: with other parameters, or the same again, it is asked about again', async () => {
    const { client, grant } = await openAs()
    const text =
      'select $1::text from (select 1) one where not exists (select from shop.orders where id < 0) and $1 = $1'
    expect((await client.query({ name: 'free', text, values: ['x'] })).rowCount).toBe(1)
    const prepared = { name: 'again', text: 'delete from shop.orders where id = $1' }
    const seen: unknown[] = []
    for (const value of [order(), next, next + 1]) {
      const deleted = later(client.query({ ...prepared, values: [value] }))
      const statement = await shown(bob)
      seen.push([statement.number, statement.parameters])
      if (seen.length < 3) await bob.approveStatement({ id: statement.id })
      else await bob.denyStatement({ id: statement.id })
      await deleted.catch(() => undefined)
    }
    expect(seen).toEqual([
      [2, [{ text: String(next) }]],
      [3, [{ text: String(next) }]],
      [4, [{ text: String(next + 1) }]],
    ])
    expect([await isThere(next), await isThere(next + 1)]).toEqual([false, true])
    next++
    expect(await counted(grant.id, 'statement.run')).toBe(2)
  })

  test('is for the statement that was shown, and what is pipelined behind it waits for its own', async () => {
    const { credential } = await maintaining(asking, 'alice')
    const { host, port, databases, user, secret } = credential
    const client = new pg.Client({ host, port, database: databases[0], user, password: secret, pipeline: true })
    await client.connect()
    onTestFinished(() => client.end())
    const [one, two] = [order(), order()]
    const answers = [
      client.query(deleting(one)),
      later(client.query('delete from shop.orders where id = $1', [two])),
      client.query('select 1 as one'),
    ] as const
    const first = await shown(bob)
    expect(first.text).toBe(deleting(one))
    await bob.approveStatement({ id: first.id })
    expect((await answers[0]).rowCount).toBe(1)
    const second = await shown(bob)
    expect(second).toMatchObject({ text: 'delete from shop.orders where id = $1', parameters: [{ text: String(two) }] })
    await bob.denyStatement({ id: second.id })
    await expect(answers[1]).rejects.toMatchObject({ code: '42501' })
    expect((await answers[2]).rows).toEqual([{ one: 1 }])
    expect([await isThere(one), await isThere(two)]).toEqual([false, true])
  })

  test('is for the session that asked, and its neighbour with the same text waits on', async () => {
    const [one, other] = [await openAs(), await openAs()]
    const id = order()
    const first = later(one.query(deleting(id)))
    const mine = await shown(bob)
    const second = later(other.query(deleting(id)))
    const both = await awaiting(bob, 2)
    await bob.approveStatement({ id: mine.id })
    expect((await first).rowCount).toBe(1)
    const [left] = await awaiting(bob)
    expect(left?.id).toBe(both.find(({ id: statement }) => statement !== mine.id)?.id)
    await bob.denyStatement({ id: left!.id })
    await expect(second).rejects.toMatchObject({ code: '42501' })
  })

  test('reaches a gateway that listens to another server', async () => {
    const { deleted, statement } = await waiting()
    const server = await asking.world.startAnother()
    await asking.world.at(server, 'bob').approveStatement({ id: statement.id })
    expect((await deleted).rowCount).toBe(1)
    await reaching(bob, statement.id, 'run')
  })

  test('is by the first of two people, whatever the other says at the same moment, and once however often it is said', async () => {
    const { world } = asking
    const { deleted, statement, grant } = await waiting()
    const { id } = statement
    const outcomes = await Promise.all([
      outcomeOf(bob.approveStatement({ id })),
      outcomeOf(world.as('dora').denyStatement({ id })),
      outcomeOf(bob.approveStatement({ id })),
    ])
    const [yes, no, again] = outcomes
    expect([yes, again].every((one) => one === yes)).toBe(true)
    expect([yes, no].toSorted()).toEqual(['done', 'statement-settled'])
    expect(await outcomeOf(deleted)).toBe(yes === 'done' ? 'done' : '42501')
    expect(
      await outcomeOf(yes === 'done' ? world.as('dora').denyStatement({ id }) : bob.approveStatement({ id })),
    ).toBe('statement-settled')
    const types = await statementEntries(asking, grant.id)
    expect(types.filter((type) => /approved|denied/.test(type))).toHaveLength(1)
  })
})

describe('who waits no more', () => {
  const cancel = async (client: pg.Client): Promise<void> => {
    const socket = await ring({ host: '127.0.0.1', port: asking.gateway.port })
    socket.write(cancelPacket(client))
    await readAll(socket)
  }

  test('a client that cancels is told so, and a yes after that does nothing', async () => {
    const { client, deleted, statement, order: id, query } = await waiting()
    await cancel(client)
    await expect(deleted).rejects.toMatchObject({ code: '57014' })
    const over = await reaching(bob, statement.id, 'abandoned')
    expect(over.because).toBe('its client gave it up')
    await expect(bob.approveStatement({ id: statement.id })).rejects.toMatchObject({
      code: 'statement-settled',
      message: 'It is abandoned, its client gave it up.',
    })
    expect((await query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(await isThere(id)).toBe(true)
  })

  test('a yes and a cancel at the same moment: it ran, or it did not, and the log says which', async () => {
    for (const first of ['yes', 'cancel'] as const) {
      const { client, deleted, statement, order: id, grant } = await waiting()
      const acts = [() => outcomeOf(bob.approveStatement({ id: statement.id })), () => cancel(client)]
      await Promise.all((first === 'yes' ? acts : acts.toReversed()).map((act) => act()))
      const ran = (await outcomeOf(deleted)) === 'done'
      const { status } = await reaching(bob, statement.id, ran ? 'run' : 'abandoned')
      expect([status, await isThere(id)]).toEqual(ran ? ['run', false] : ['abandoned', true])
      expect(await counted(grant.id, 'statement.run')).toBe(ran ? 1 : 0)
    }
  })

  test.each(['goodbye', 'nothing'])('a client that leaves with %s leaves nothing to be run', async (word) => {
    const { client, statement, order: id } = await waiting()
    if (word === 'goodbye') void client.end()
    else (client as unknown as { connection: { stream: { destroy: () => void } } }).connection.stream.destroy()
    const { because } = await reaching(bob, statement.id, 'abandoned')
    expect(because).toBe('its session ended')
    expect(await outcomeOf(bob.approveStatement({ id: statement.id }))).toBe('statement-settled')
    expect(await isThere(id)).toBe(true)
  })

  test('a grant that ends takes what waits with it', async () => {
    const { deleted, statement, grant, order: id } = await waiting()
    await asking.world.as('dora').revokeGrant({ id: grant.id, reason: 'enough' })
    expect(await outcomeOf(bob.approveStatement({ id: statement.id }))).toBe('statement-settled')
    await expect(deleted).rejects.toThrow('access was revoked by user:dora')
    await reaching(bob, statement.id, 'abandoned')
    expect(await isThere(id)).toBe(true)
  })

  test('an approver who is too late is told so', async () => {
    const { query, grant } = await openAs()
    const deleted = later(query('delete from shop.products where id = 1'))
    const { id } = await shown(bob)
    await expect(deleted).rejects.toMatchObject({
      code: '42501',
      message: expect.stringContaining('nobody answered within 1s'),
    })
    await reaching(bob, id, 'expired')
    expect(await outcomeOf(bob.approveStatement({ id }))).toBe('statement-settled')
    expect(await statementEntries(asking, grant.id)).toEqual(['statement.asked', 'statement.expired'])
  })
})

describe('who may answer', () => {
  test('what is one’s own is answered by nobody behind it, an agent of theirs included', async () => {
    const { world } = asking
    const outcomes: Record<string, string> = {}
    const answer = async (who: string, id: string): Promise<void> =>
      void (outcomes[who] = await outcomeOf(world.as(who).approveStatement({ id })))
    for (const holder of ['bob', 'helper']) {
      const { query } = await openAs(holder)
      const deleted = later(query(deleting(order())))
      const { id } = await shown(world.as('dora'))
      await answer('bob', id)
      await answer('helper', id)
      expect([holder, outcomes]).toEqual([
        holder,
        { bob: holder === 'bob' ? 'own-request' : 'not-found', helper: 'forbidden' },
      ])
      await world.as('dora').denyStatement({ id })
      await deleted.catch(() => undefined)
    }
  })

  test('a service is answered for by anyone of the group but its owner', async () => {
    const { world } = asking
    const { query } = await openAs('ci')
    const deleted = query('delete from shop.order_items where order_id = 0')
    const { id } = await shown(world.as('dora'))
    expect(await outcomeOf(world.as('carol').approveStatement({ id }))).toBe('not-found')
    await world.as('dora').approveStatement({ id })
    await deleted
  })

  test('is who is in the group, and neither an administrator by that, nor who may read everything', async () => {
    const { world } = asking
    const { deleted, statement } = await waiting()
    const { id } = statement
    const tried = async (client: Client) => ({
      yes: await outcomeOf(client.approveStatement({ id })),
      sees: await client.getStatement({ id }).then(({ text }) => text !== undefined, String),
      waits: (await client.listStatements({ awaiting: 'me' })).items.length,
    })
    expect(await tried(world.admin)).toEqual({ yes: 'not-an-approver', sees: false, waits: 0 })
    expect(await tried(world.as('sam'))).toEqual({ yes: 'not-an-approver', sees: false, waits: 0 })
    expect(await tried(world.as('alice'))).toEqual({ yes: 'own-request', sees: true, waits: 0 })
    const hidden = await outcomes(world.as('carol'), id)
    expect(hidden).toEqual(await outcomes(world.as('carol'), 'stm_00000000000000000000000000'))
    expect(new Set(hidden)).toEqual(new Set(['There is no such thing.']))
    expect((await world.as('sam').listStatements({ status: 'pending' })).items.map((one) => one.id)).toEqual([id])
    expect((await world.as('carol').listStatements({})).items).toEqual([])
    await world.as('dora').denyStatement({ id })
    await deleted.catch(() => undefined)
  })

  const outcomes = (client: Client, id: string): Promise<string[]> =>
    Promise.all(
      [client.getStatement({ id }), client.approveStatement({ id }), client.denyStatement({ id })].map((work) =>
        work.then(
          () => 'done',
          ({ message }: Error) => message,
        ),
      ),
    )

  test('has to be the same person for all rules that a text brings together', async () => {
    const { world } = asking
    const { query } = await openAs()
    const text = 'delete from shop.order_items where order_id = 0; delete from shop.orders where id = 0'
    const deleted = query(text)
    const { id, approvers } = await shown(world.as('dora'))
    expect(approvers).toEqual([['team-leads'], ['owner']])
    for (const who of ['bob', 'carol'])
      expect([who, await outcomeOf(world.as(who).approveStatement({ id }))]).toEqual([who, 'not-found'])
    const { answer } = await world.as('dora').approveStatement({ id })
    expect(answer?.as).toEqual(['team-leads', 'owner'])
    await deleted
  })
})

test('what is too long to be shown whole is refused, and nobody is asked', async () => {
  const { query, grant } = await openAs()
  const long = 'x'.repeat(70_000)
  await expect(query(`delete from shop.orders where status = '${long}'`)).rejects.toMatchObject({
    code: '42501',
    message: expect.stringContaining('an approver sees all of it or nothing'),
  })
  await expect(query('delete from shop.orders where status = $1', [long])).rejects.toMatchObject({ code: '42501' })
  expect(await statementEntries(asking, grant.id)).toEqual([])
})

test('a client that is refused in a loop makes few entries, and they count what it did', async () => {
  const { query, grant, client } = await openAs()
  for (let i = 0; i < 40; i++) await query('set role none').catch(() => undefined)
  await query("copy shop.orders to '/tmp/x'").catch(() => undefined)
  await client.end()
  const refused = async () =>
    (await entriesOf(asking.world.admin, { grant: grant.id })).filter(({ type }) => type === 'session.refused')
  await expect.poll(async () => (await refused()).length).toBe(3)
  const told = (await refused()).map(({ entry }) => [entry['rule'], entry['first'], entry['last'], entry['count']])
  expect(told).toEqual([
    ['settings', 1, 1, 1],
    ['files', 41, 41, 1],
    ['settings', 1, 40, 40],
  ])
  expect(JSON.stringify(await refused())).not.toContain('set role')
})

test('without a server, a statement waits until its time is over, and no longer', async () => {
  const clock = createTestClock(Date.now())
  const alone = await createAskingWorldForTest({ guard, gateway: { clock } })
  const { credential } = await maintaining(alone, 'alice')
  const { query, notices } = await connect(credential)
  await Promise.all([alone.world.server.stop(), closeSpare()])
  const deleted = later(query(deleting(1)))
  await expect.poll(() => notices.length).toBe(1)
  // The server's time goes on by a clock that this one does not move: the end is up to some seconds later.
  clock.advance(590_000)
  clock.advance(60_000)
  await expect(deleted).rejects.toMatchObject({
    code: '42501',
    message: expect.stringContaining('nobody answered within 10m'),
  })
  expect(await isThere(1, alone)).toBe(true)
}, 120_000)
