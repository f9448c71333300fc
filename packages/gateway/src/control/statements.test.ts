import { ApiError, gatewayLimits } from '@tidegate/api'
import { minutes } from '@tidegate/core'
import { expect, test } from 'vitest'
import { createTestClock } from '../postgres/testing/clock.ts'
import type { SessionReport, StatementAnswer, StatementQuestion } from './contract.ts'
import { createStatements } from './statements.ts'

type Ask = (question: StatementQuestion) => Promise<unknown>

const taken: Ask = async () => undefined

/** @param ask what the control plane says to the first question, to the second, and so on; the last one from then on */
function createWorld(...ask: [Ask, ...Ask[]]) {
  const clock = createTestClock()
  const asked: StatementQuestion[] = []
  const reports: SessionReport[] = []
  const logged: string[] = []
  let bytes = 0
  const statements = createStatements({
    ask: (question) => {
      asked.push(question)
      return (ask[asked.length - 1] ?? ask.at(-1) ?? taken)(question)
    },
    reports: { add: (report) => void reports.push(report) },
    clock,
    // Each id differs, and nothing is waited for before trying again.
    random: (count) => new Uint8Array(count).fill(count === 1 ? 0 : ++bytes),
    log: (what) => void logged.push(what),
  })
  const given = new AbortController()
  const wait = (change: object = {}) =>
    statements.approveIn('ses_a')(
      {
        statement: 4,
        text: 'delete from orders',
        parameters: [],
        rule: 'ask',
        message: 'DELETE on orders needs the approval of a person',
        ...change,
      },
      given.signal,
    )
  const answer = (answers: Partial<StatementAnswer> = {}): void =>
    statements.take([{ statement: asked[0]?.id ?? '', session: 'ses_a', answer: 'yes', ...answers }])
  const outcomes = () => reports.map((one) => (one.what === 'statement' ? `${one.statement} ${one.outcome}` : one.what))
  return { clock, asked, reports, logged, statements, given, wait, answer, outcomes }
}

/** Until whatever was begun has gone on as far as it can by itself. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

function promised(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => (resolve = done))
  return { promise, resolve }
}

test('a question says what the guard said, with who may answer and for how long', async () => {
  const { asked, wait, given } = createWorld(taken)
  const parameters = ['7', null, Uint8Array.of(1, 2)]
  const waiting = wait({ parameters, approvers: [['dba'], ['leads', 'owner']], withinMs: minutes(5) })
  await settled()
  expect(asked).toMatchObject([
    {
      session: 'ses_a',
      number: 4,
      rule: 'ask',
      about: 'DELETE on orders needs the approval of a person',
      approvers: [['dba'], ['leads', 'owner']],
      withinSeconds: 300,
      text: 'delete from orders',
      parameters: [{ text: '7' }, null, { bytes: 'AQI=' }],
    },
  ])
  given.abort('cancelled')
  await waiting
})

test('a yes lets the one statement through, once, and that it ran is reported once', async () => {
  const { wait, answer, asked, outcomes } = createWorld(taken)
  const waiting = wait()
  await settled()
  answer()
  expect(await waiting).toBe('yes')
  answer()
  answer()
  await settled()
  expect(outcomes()).toEqual([`${asked[0]?.id} run`])
})

test('a yes to what does not wait here opens nothing, and is said to be nowhere', async () => {
  const { statements, outcomes } = createWorld(taken)
  const yes = { statement: 'stm_other', session: 'ses_b', answer: 'yes' } as const
  statements.take([yes])
  statements.take([yes])
  expect(outcomes()).toEqual(['stm_other not-here'])
  statements.told('stm_other')
  statements.take([yes])
  expect(outcomes()).toEqual(['stm_other not-here', 'stm_other not-here'])
})

test('an answer is that of its own statement, and leaves another to wait', async () => {
  const { wait, asked, answer, given } = createWorld(taken)
  const [first, second] = [wait(), wait()]
  await settled()
  expect(new Set(asked.map(({ id }) => id)).size).toBe(2)
  answer({ statement: asked[1]?.id ?? '', answer: 'no', why: 'Not today' })
  expect(await second).toEqual({ no: 'Not today' })
  given.abort('cancelled')
  expect(await first).toBe('no')
})

test('the words of whoever said no come on one line, and steer no terminal', async () => {
  const { wait, answer } = createWorld(taken)
  const waiting = wait()
  await settled()
  answer({ answer: 'no', why: `No\n\u001b[2J \u202eagain ${'x'.repeat(1_000)}` })
  const said = (await waiting) as { no: string }
  expect(said.no).toMatch(/^No \?\[2J \?again x+$/)
  expect(said.no.length).toBeLessThanOrEqual(500)
})

test('nobody answered in time is a no at that instant, and not before', async () => {
  const { clock, wait, outcomes, asked } = createWorld(taken)
  const waiting = wait({ withinMs: minutes(1) })
  await settled()
  clock.advance(59_999)
  await settled()
  expect(outcomes()).toEqual([])
  clock.advance(1)
  expect(await waiting).toEqual({ no: 'nobody answered within 1m' })
  expect(outcomes()).toEqual([`${asked[0]?.id} timed-out`])
})

test.each([
  ['cancelled', 'cancelled'],
  ['session-ended', 'session-ended'],
])(
  'a statement that was given up (%s) is refused, reported, and not run by a yes that comes later',
  async (why, outcome) => {
    const { wait, given, answer, outcomes, asked } = createWorld(taken)
    const waiting = wait()
    await settled()
    given.abort(why)
    expect(await waiting).toBe('no')
    answer()
    await settled()
    expect(outcomes()).toEqual([`${asked[0]?.id} ${outcome}`])
  },
)

test('one that was given up before it was asked about is refused', async () => {
  const { wait, given } = createWorld(taken)
  given.abort('session-ended')
  expect(await wait()).toBe('no')
})

test('what became of it is not reported before the question that is under way has arrived', async () => {
  const { promise, resolve } = promised()
  const { wait, given, outcomes } = createWorld(() => promise)
  const waiting = wait()
  await settled()
  given.abort('cancelled')
  expect(await waiting).toBe('no')
  await settled()
  expect(outcomes()).toEqual([])
  resolve()
  await settled()
  expect(outcomes()).toHaveLength(1)
})

test.each([
  ['grant-ended', 'access has ended'],
  ['statement-limit', 'too many statements of this grant have been asked about; wait some minutes'],
  ['invalid-input', 'the control plane could not read it'],
  ['body-too-large', 'it is too long'],
] as const)('what asking again does not mend (%s) is a no at once, with the reason', async (code, why) => {
  const { wait, asked, outcomes } = createWorld(() => Promise.reject(new ApiError(code)))
  expect(await wait()).toEqual({ no: why })
  await settled()
  expect(asked).toHaveLength(1)
  expect(outcomes()).toEqual([`${asked[0]?.id} refused`])
})

test('a server that is silent, or does not know the session yet, is asked again with the same question', async () => {
  const silent: Ask = () => Promise.reject(new Error('socket hang up'))
  const { promise: third, resolve } = promised()
  const unknown: Ask = () => Promise.reject(new ApiError('not-found'))
  const { wait, asked, logged, answer } = createWorld(silent, unknown, async () => resolve())
  const waiting = wait()
  await third
  expect(new Set(asked.map(({ id }) => id)).size).toBe(1)
  expect(asked).toHaveLength(3)
  expect(logged).toEqual(['statement-unasked'])
  answer()
  expect(await waiting).toBe('yes')
})

test('of what an approver could not be shown whole nobody is asked', async () => {
  const { wait, asked } = createWorld(taken)
  const most = gatewayLimits.statementBytes
  expect(await wait({ text: 'x'.repeat(most) })).toEqual({ no: expect.stringContaining('all of it or nothing') })
  expect(await wait({ parameters: ['\u0001'.repeat(most / 6)] })).toEqual({ no: expect.stringContaining('all of it') })
  expect(asked).toEqual([])
})
