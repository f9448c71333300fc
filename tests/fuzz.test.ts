/** Whatever is sent to any operation of the table, the answer is one that the table knows. */

import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Operation, OperationId } from '@tidegate/api'
import { commonErrors, operations, pathParameters } from '@tidegate/api'
import { opened, permitted } from './support/access.ts'
import { address, joined, newSession, reportsOf } from './support/gateways.ts'
import type { Answer } from './support/http.ts'
import { problemOf, send } from './support/http.ts'
import { inputsFor } from './support/inputs.ts'
import type { Known } from './support/inputs.ts'
import { stateOf } from './support/story.ts'
import { createWorld, defaultFiles } from './support/tidegate.ts'

let world: Awaited<ReturnType<typeof createWorld>>
let known: Known
let gatewayToken: string

/** Of what is asked for by someone else: stands in no input. */
const reason = 'Nobody but Alice and who may answer her reads this'

beforeAll(async () => {
  world = await createWorld({
    files: (parts) => [
      ...defaultFiles(parts),
      {
        path: 'mallory.yaml',
        text: `users: [{ id: mallory, tokens: [{ hash: '${parts.hashOf('mallory')}', expires: '2099-01-01T00:00:00Z' }] }]`,
      },
    ],
  })
  const alice = world.as('alice')
  const pending = await alice.createRequest({ role: 'orders-db/writer', duration: '1h', reason })
  const grant = await permitted(alice)
  const gateway = await joined(world)
  gatewayToken = gateway.token
  const session = newSession()
  const reports = reportsOf(world, { session, grant: (await opened(alice)).grant.id })
  await gateway.client.reportSessions({ reports: [reports.opened()] })
  const statement = 'stm_00000000000000000000000001'
  await gateway.client.askStatement({
    id: statement,
    session,
    number: 1,
    rule: 'ask',
    about: 'DELETE on shop.orders needs the approval of a person',
    approvers: [['team-leads']],
    withinSeconds: 3_600,
    text: reason,
    parameters: [{ text: reason }],
  })
  known = {
    session: [session],
    statement: [statement],
    number: [1, 2],
    approvers: [[['owner']], [['none']]],
    withinSeconds: [600],
    parameters: [[], [null, { text: 'x' }, { bytes: 'AAE=' }]],
    id: [pending.id, grant, session, statement, 'orders-db', 'nothing'],
    resources: [['orders-db'], ['none']],
    waitMs: [0],
    reports: [
      [reports.opened(), reports.recorded(1)],
      [reports.recorded(2), reports.ended()],
    ],
    gateway: ['gw-1', 'gw-2'],
    address: [address],
    role: ['orders-db/readonly', 'orders-db/writer', 'orders-db/maintainer', 'orders-db/none'],
    resource: ['orders-db', 'none'],
    duration: ['30m', 'PT1H'],
    validFor: ['5m'],
    reason: ['Looking into order 7'],
    principal: ['user:alice', 'service:ci'],
    name: ['device', 'ticket', 'risk'],
    subject: ['user:alice', 'ticket:OPS-17'],
    value: [{ compliant: true, managed: true }, { open: true }],
    at: [new Date(world.clock.now()).toISOString()],
    observedAt: [new Date(world.clock.now()).toISOString()],
    startAt: [new Date(world.clock.now() + 3_600_000).toISOString()],
    cursor: [pending.id, grant],
    limit: [1, 500],
    files: [
      world.files,
      [...world.files, { path: 'x.yaml', text: 'a: [' }],
      [...world.files, { path: 'y.cedar', text: 'permit(' }],
    ],
    base: [1],
  }
})
afterAll(() => world.stop())

/** Not every object has a text: `{ toString: null }` has none. */
const textOf = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)

const encoded = (value: unknown): string => encodeURIComponent(Buffer.from(textOf(value)).toString())

/** As the table says, with no care for whether it makes sense. */
function sendInput(operation: Operation, input: Record<string, unknown>, token: string): Promise<Answer> {
  const rest = { ...input }
  let path: string = operation.path
  for (const name of pathParameters(operation.path)) {
    path = path.replace(`{${name}}`, () => encoded(rest[name]))
    delete rest[name]
  }
  if (operation.method !== 'GET')
    return send(world.server.url, { method: operation.method, path, token, body: JSON.stringify(rest) })
  const query = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map((one) => `${encoded(name)}=${encoded(one)}`),
    )
  return send(world.server.url, { path: query.length > 0 ? `${path}?${query.join('&')}` : path, token })
}

/** No gateway runs here, and whoever may know is told so. */
const isAway = (operation: Operation, answer: Answer): boolean =>
  operation.errors.includes('recording-away') && answer.status === 503 && problemOf(answer).code === 'recording-away'

/** What is wrong with the answer; `undefined`: nothing. */
function fault(operation: Operation, answer: Answer): string | undefined {
  if (isAway(operation, answer)) return undefined
  if (answer.status >= 500) return `${answer.status} ${answer.text}`
  if (answer.status < 400) {
    const read = operation.output.safeParse(JSON.parse(answer.text))
    return read.success ? undefined : `not its output: ${read.error.message}`
  }
  const { code, status, remedy } = problemOf(answer)
  if (status !== answer.status || remedy === '') return `a problem that is not whole: ${answer.text}`
  const mayBe: readonly string[] = [...operation.errors, ...commonErrors]
  return mayBe.includes(code) || code === 'not-found' ? undefined : `an error that is not in the table: ${answer.text}`
}

/** What changes who there is comes last: without people or gateways there is little left to refuse. */
const last: readonly OperationId[] = ['createGateway', 'removeGateway', 'applyConfig']
const ids = (Object.keys(operations) as OperationId[]).toSorted((a, b) => last.indexOf(a) - last.indexOf(b))

const tokens: Partial<Record<Operation['auth'], () => string>> = {
  'signal-source': () => world.tokenOf('device-manager'),
  gateway: () => gatewayToken,
}

/** They have a body, and only look. */
const looks: ReadonlySet<OperationId> = new Set(['ask', 'planConfig', 'surveyResource'])
const leavesTraces: ReadonlySet<OperationId> = new Set(['surveyResource', 'getReceipt'])
/** A request may be filed by anyone, and is denied; who tries to break glass in vain is in the log. */
const isWrittenDown: ReadonlySet<OperationId> = new Set(['createRequest', 'openAccess', 'breakGlass'])
const changes = (id: OperationId): boolean => operations[id].method !== 'GET' && !looks.has(id)

test.each(ids)(
  '%s tells whoever may do nothing of nobody’s affairs, whatever they send, and does nothing for them',
  async (id) => {
    const operation: Operation = operations[id]
    const before = await stateOf(world.store)
    const property = fc.asyncProperty(inputsFor(operation, known), async (input) => {
      const answer = await sendInput(operation, input, world.tokenOf('mallory'))
      expect(fault(operation, answer)).toBeUndefined()
      expect(answer.text).not.toContain(reason)
    })
    await fc.assert(property, { numRuns: 20, endOnFailure: false })
    if (!isWrittenDown.has(id)) expect(await stateOf(world.store)).toEqual(before)
  },
)

test.each(ids.filter((id) => !changes(id)))(
  '%s changes nothing, whatever it is sent by whoever may do most',
  async (id) => {
    const before = await stateOf(world.store)
    const property = fc.asyncProperty(inputsFor(operations[id], known), async (input) => {
      expect(fault(operations[id], await sendInput(operations[id], input, world.tokenOf('dora')))).toBeUndefined()
    })
    await fc.assert(property, { numRuns: 12, endOnFailure: false })
    // A survey leaves an entry, and a receipt gives its own a place in the log.
    const after = await stateOf(world.store)
    const ofTheLog = (line: string): boolean => leavesTraces.has(id) && line.startsWith('audit_')
    expect(after.filter((line) => !ofTheLog(line))).toEqual(before.filter((line) => !ofTheLog(line)))
  },
)

test.each(ids)('%s answers whatever it is sent with its output, or with a problem of its table', async (id) => {
  const operation: Operation = operations[id]
  const token = tokens[operation.auth]?.() ?? world.tokenOf('dora')
  const property = fc.asyncProperty(inputsFor(operation, known), async (input) => {
    expect(fault(operation, await sendInput(operation, input, token))).toBeUndefined()
  })
  await fc.assert(property, { numRuns: 60, endOnFailure: false })
})
