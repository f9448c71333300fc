/** What is wrong with an input is said by name, with what to do about it, and nothing is done by halves. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ErrorCode, Operation, Problem } from '@tidegate/api'
import { gatewayLimits, limits, operations } from '@tidegate/api'
import { address, joined } from './support/gateways.ts'
import type { Sent } from './support/http.ts'
import { problemOf, send } from './support/http.ts'
import { stateOf } from './support/story.ts'
import { createWorld } from './support/tidegate.ts'

let world: Awaited<ReturnType<typeof createWorld>>
let before: string[]
let gatewayToken: string

beforeAll(async () => {
  world = await createWorld()
  gatewayToken = (await joined(world)).token
  before = await stateOf(world.store)
})
afterAll(async () => {
  await world.stop()
})

async function refused(sent: Sent, who = 'alice'): Promise<Problem> {
  const answer = await send(world.server.url, { token: world.tokenOf(who), ...sent })
  const problem = problemOf(answer)
  expect(problem.status).toBe(answer.status)
  expect(problem.type).toBe(`urn:tidegate:error:${problem.code}`)
  expect(problem.remedy.length).toBeGreaterThan(10)
  expect(await stateOf(world.store)).toEqual(before)
  return problem
}

const good = { role: 'orders-db/readonly', duration: '30m', reason: 'Looking into order 7' }
const filing = (input: unknown): Sent => ({ method: 'POST', path: '/v1/requests', body: JSON.stringify(input) })
const fieldsOf = ({ problems }: Problem): string[] => (problems ?? []).map(({ field }) => field)

const inDays = (days: number): string => new Date(world.clock.now() + days * 86_400_000).toISOString()

test.each(['0s', 'PT0S', '-5m', '-PT5M', '30', '1.5h', 'P1Y', '10001d', '', 'soon', '1e3s', '３０m', ' 30m', 30, null])(
  'the duration %j is refused by name',
  async (duration) => {
    const problem = await refused(filing({ ...good, duration }))
    expect(problem.code).toBe('invalid-input')
    expect(fieldsOf(problem)).toEqual(['duration'])
  },
)

test('a duration that is merely far too long is a denied request, and its remedy is one that is given', async () => {
  const answer = await world.as('alice').ask({ role: good.role, duration: '9999d' })
  if (answer.outcome !== 'deny') throw new Error(`It is ${answer.outcome}.`)
  expect(answer.cause).toBe('too-long')
  expect(answer.remedies.flatMap(({ changes }) => changes)).toContainEqual({
    fact: 'duration',
    atMostSeconds: 8 * 3_600,
  })
  expect((await world.as('alice').ask({ role: good.role, duration: '8h' })).outcome).toBe('permit')
})

test('an unknown role is named, with the roles there are', async () => {
  const problem = await refused(filing({ ...good, role: 'orders-db/none' }))
  expect(problem.code).toBe('unknown-role')
  expect(fieldsOf(problem)).toEqual(['role'])
  expect(problem.detail).toContain('readonly, writer, maintainer')
  const nowhere = await refused(filing({ ...good, role: 'none/readonly' }))
  expect(nowhere).toMatchObject({
    code: 'unknown-role',
    detail: 'none/readonly is not there; no resource has that id.',
  })
})

test.each([
  ['role', { role: 'readonly' }],
  ['role', { role: 'orders-db/readonly/x' }],
  ['role', { role: 'orders-db/read only' }],
  ['role', { role: 'orders-db/\u0000' }],
  ['reason', { reason: undefined }],
  ['reason', { reason: '  \n ' }],
  ['reason', { reason: 'Order \u0000 7' }],
  ['reason', { reason: 'Order \u001b[2J 7' }],
  ['reason', { reason: 'Order \u009b2J 7' }],
  ['reason', { reason: 'Order \ud800 7' }],
  ['reason', { reason: 'x'.repeat(limits.reasonLength + 1) }],
  ['ticket', { ticket: 'OPS-17\nOPS-18' }],
  ['ticket', { ticket: 'OPS\u0000' }],
  ['ticket', { ticket: '' }],
  ['task', { task: 'x'.repeat(limits.taskLength + 1) }],
  ['startAt', { startAt: '2026-11-21T09:00:00' }],
  ['startAt', { startAt: '2027-02-30T09:00:00Z' }],
  ['startAt', { startAt: 'tomorrow' }],
  ['startAt', { startAt: '2020-01-01T00:00:00Z' }],
  ['resaon', { resaon: 'a slip' }],
  ['role', { role: { toString: 'orders-db/readonly' } }],
])('what is wrong with %s is refused by name: %j', async (field, wrong) => {
  const problem = await refused(filing({ ...good, ...wrong }))
  expect(problem.code).toBe('invalid-input')
  expect(fieldsOf(problem)).toContain(field)
})

test('a start time further away than a quarter of a year is refused, and one just within it is not', async () => {
  expect(fieldsOf(await refused(filing({ ...good, startAt: inDays(90.1) })))).toEqual(['startAt'])
  expect((await world.as('alice').createRequest({ ...good, startAt: inDays(89.9) })).status).toBe('approved')
  before = await stateOf(world.store)
})

test('everything that is wrong is said at once', async () => {
  const problem = await refused(filing({ role: 'x', duration: '0s', reason: '', extra: 1 }))
  expect(fieldsOf(problem).toSorted()).toEqual(['duration', 'extra', 'reason', 'role'])
})

test.each([
  ['half an object', '{"role":'],
  ['nothing at all', ''],
  ['a list', '[]'],
  ['a number', '42'],
  ['a text', '"orders-db/readonly"'],
  ['null', 'null'],
  ['a prototype', '{"__proto__": {"administrator": true}}'],
  ['a form', 'role=orders-db/readonly'],
  ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x7b])],
])('a body that is %s is not JSON of ours', async (_what, body) => {
  const problem = await refused({ method: 'POST', path: '/v1/requests', body })
  expect(['not-json', 'invalid-input']).toContain(problem.code)
  expect(problem.status).toBe(400)
})

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/xml',
  'x',
])('a body of the type %s is refused, whatever it holds', async (type) => {
  const problem = await refused({ ...filing(good), headers: { 'content-type': type } })
  expect(problem.code).toBe('not-json')
})

test('a body that is too large is refused with the limit, and one below it is looked at', async () => {
  const big = await refused(filing({ ...good, reason: 'x'.repeat(limits.bodyBytes) }))
  expect(big).toMatchObject({ code: 'body-too-large', status: 413 })
  expect(big.detail).toContain(String(limits.bodyBytes))
  expect((await refused(filing({ ...good, reason: 'x'.repeat(limits.bodyBytes - 1_000) }))).code).toBe('invalid-input')
})

test('a body that is nested without end is refused by name', async () => {
  const body = `{"role":${'['.repeat(50_000)}${']'.repeat(50_000)},"duration":"30m","reason":"x"}`
  expect(fieldsOf(await refused({ method: 'POST', path: '/v1/requests', body }))).toContain('role')
})

test.each([
  ['limit', '/v1/requests?limit=0'],
  ['limit', '/v1/requests?limit=501'],
  ['limit', '/v1/requests?limit=-1'],
  ['limit', '/v1/requests?limit=1.5'],
  ['limit', '/v1/requests?limit=many'],
  ['limit', '/v1/requests?limit=1&limit=2'],
  ['cursor', '/v1/requests?cursor=%00'],
  ['cursor', `/v1/requests?cursor=${'x'.repeat(limits.idLength + 1)}`],
  ['status', '/v1/requests?status=approving'],
  ['awaiting', '/v1/requests?awaiting=dora'],
  ['principal', '/v1/requests?principal=alice'],
  ['principal', '/v1/requests?principal=user:%00'],
  ['role', '/v1/grants?role=readonly'],
  ['open', '/v1/grants?open=yes'],
  ['sort', '/v1/grants?sort=id'],
  ['id', '/v1/requests/%00'],
  ['id', `/v1/requests/${'x'.repeat(limits.idLength + 1)}`],
  ['resource', '/v1/access'],
])('what is wrong with %s is refused by name: %s', async (field, path) => {
  const problem = await refused({ path })
  expect(problem.code).toBe('invalid-input')
  expect(fieldsOf(problem)).toContain(field)
})

test.each([
  ['/v1/requests/req_nothing', 'GET'],
  ['/v1/nothing', 'GET'],
  ['/v1/requests', 'DELETE'],
  ['/v1/requests/%zz', 'GET'],
  ['/v1/requests/%c0%af', 'GET'],
  [`/v1/requests/${'x'.repeat(3_000)}`, 'GET'],
  ['/log/../v1/me', 'GET'],
  ['/log/nothing', 'GET'],
])('%s is not found by %s, in our words', async (path, method) => {
  expect((await refused({ method, path })).code).toBe('not-found')
})

test('a field of the path is refused where it stands in the body as well', async () => {
  const problem = await refused({ method: 'POST', path: '/v1/grants/one/done', body: '{"id":"another"}' })
  expect(problem.code).toBe('invalid-input')
  expect(fieldsOf(problem)).toEqual(['id'])
})

test.each(['', ' ', 'with blank', 'x'.repeat(limits.idempotencyKeyLength + 1), 'é', 'a, b c'])(
  'the idempotency key %j is refused by name',
  async (key) => {
    const problem = await refused({ ...filing(good), headers: { 'idempotency-key': key } })
    expect(problem.code).toBe('invalid-input')
    expect(fieldsOf(problem)).toEqual(['Idempotency-Key'])
  },
)

test('every operation refuses a field that it does not have, by its name', async () => {
  const found: Record<string, { code: ErrorCode; fields: string[] }> = {}
  for (const [id, operation] of Object.entries<Operation>(operations)) {
    const path = operation.path.replaceAll(/\{\w+\}/g, 'nothing')
    const sent = operation.method === 'GET' ? { path: `${path}?surprise=1` } : { path, body: '{"surprise":1}' }
    const who = operation.auth === 'signal-source' ? 'device-manager' : 'dora'
    const token = operation.auth === 'gateway' ? { token: gatewayToken } : {}
    const problem = await refused({ method: operation.method, ...sent, ...token }, who)
    found[id] = { code: problem.code, fields: fieldsOf(problem) }
  }
  const silent = Object.entries(found).filter(
    ([, { code, fields }]) => code !== 'invalid-input' || !fields.includes('surprise'),
  )
  expect(silent).toEqual([])
})

test.each([
  ['subject', { subject: 'ticket:OPS-17' }],
  ['subject', { subject: 'alice' }],
  ['value.compliant', { value: { compliant: 'yes', managed: true } }],
  ['value.managed', { value: { compliant: true } }],
  ['value.colour', { value: { compliant: true, managed: true, colour: 'red' } }],
  ['observedAt', { observedAt: '2199-01-01T00:00:00Z' }],
  ['validFor', { validFor: '0s' }],
  ['name', { name: 'weather' }],
])('a signal that is wrong in %s is refused by name: %j', async (field, wrong) => {
  const signal = { name: 'device', subject: 'user:alice', value: { compliant: true, managed: true }, ...wrong }
  const problem = await refused({ method: 'PUT', path: '/v1/signals', body: JSON.stringify(signal) }, 'device-manager')
  expect(problem.code).toBe('invalid-input')
  expect(fieldsOf(problem)).toContain(field)
})

const chained = { segment: 0, blocks: 1, bytes: 1, events: 1, chain: 'A'.repeat(43) }
const about = { session: `ses_${'0'.repeat(26)}`, at: '2026-01-05T09:00:00Z' }

test.each([
  ['waitMs', 'sync', { waitMs: gatewayLimits.syncWaitMs + 1 }],
  ['waitMs', 'sync', {}],
  ['cursor', 'sync', { waitMs: 0, cursor: 'x'.repeat(201) }],
  ['reports', 'sessions', { reports: [] }],
  [
    'reports',
    'sessions',
    {
      reports: Array.from({ length: gatewayLimits.reports + 1 }, () => ({ ...about, what: 'recorded', head: chained })),
    },
  ],
  ['reports[0].session', 'sessions', { reports: [{ ...about, session: 'grt_1', what: 'recorded', head: chained }] }],
  [
    'reports[0].head.chain',
    'sessions',
    { reports: [{ ...about, what: 'recorded', head: { ...chained, chain: 'A' } }] },
  ],
  [
    'reports[0].head.blocks',
    'sessions',
    { reports: [{ ...about, what: 'recorded', head: { ...chained, blocks: -1 } }] },
  ],
  ['reports[0].what', 'sessions', { reports: [{ ...about, what: 'paused' }] }],
])('what a gateway says wrongly in %s is refused by name', async (field, path, input) => {
  const sent = { method: 'POST', path: `/v1/gateway/${path}`, body: JSON.stringify(input), token: gatewayToken }
  const problem = await refused(sent)
  expect(problem.code).toBe('invalid-input')
  expect(fieldsOf(problem)).toContain(field)
})

test.each([
  ['address.host', { host: '/var/run/postgresql' }],
  ['address.host', { host: 'a host' }],
  ['address.host', { host: '' }],
  ['address.port', { port: 0 }],
  ['address.tls', { tls: 'prefer' }],
  ['address.ca', { ca: 'not a certificate' }],
  ['address.user', { user: 'postgres' }],
])('a gateway that enrols with a wrong %s is refused by name: %j', async (field, wrong) => {
  const input = { token: 'tge_x', publicKey: Buffer.alloc(32).toString('base64'), address: { ...address, ...wrong } }
  const problem = await refused({ method: 'POST', path: '/v1/gateway/enrol', body: JSON.stringify(input) })
  expect(problem.code).toBe('invalid-input')
  expect(fieldsOf(problem).map((one) => (one === 'user' ? 'address.user' : one))).toContain(field)
})
