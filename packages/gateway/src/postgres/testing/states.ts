/** Every state that a session of the protocol can be in, and how a client gets it there. */

import { once } from 'node:events'
import type { Guard } from '../../guard/ruling.ts'
import { cancelRequest } from '../wire/write.ts'
import type { Approve } from '../shell/ports.ts'
import type { MemoryRecorder } from './recorder.ts'
import { type Line, ring, words } from './wire.ts'

type Place = { readonly host: string; readonly port: number }

export type Visit = { readonly line: Line; readonly recorder: MemoryRecorder; readonly gateway: Place }

const step = (sql: string): Buffer[] => [words.parse('', sql), words.bind('', ''), words.execute('')]

/** Up to and including a message of this type. */
async function until({ line }: Visit, type: string): Promise<void> {
  while ((await line.next()).type !== type);
}

/** Says it, and waits until it is on its way to the target, or waits for someone. */
async function begin({ line, recorder }: Visit, ...messages: readonly Buffer[]): Promise<void> {
  const begun = once(recorder.recorded, 'statement')
  line.send(...messages)
  await begun
}

const sleep = 'select pg_sleep(600)'
const endless = "select repeat('x', 100000) from generate_series(1, 1000000)"

/** A statement that has this word in it waits for an approver, who does not come. */
export const undecided: { readonly guard: Guard; readonly approve: Approve } = {
  guard: {
    judge: (text) =>
      text.includes('careful')
        ? { ruling: 'ask', rule: 'careful', message: 'a careful one', uses: [] }
        : { ruling: 'allow', uses: [] },
  },
  approve: () => new Promise(() => undefined),
}

export const inTheMiddleOfRows: ReadonlySet<string> = new Set(['copying out', 'reading rows'])

export const states: Readonly<Record<string, (visit: Visit) => Promise<void> | void>> = {
  idle: () => undefined,
  'idle in a transaction': async ({ line }) => {
    line.send(words.query('begin; create table t (a int)'))
    await line.untilReady()
  },
  'idle in a failed transaction': async ({ line }) => {
    line.send(words.query('begin'), words.query('wrong'))
    await line.untilReady()
    await line.untilReady()
  },
  listening: async ({ line }) => {
    line.send(words.query('listen tide'))
    await line.untilReady()
  },
  'in the middle of its first message': ({ line }) => void line.socket.write(words.query('select 1').subarray(0, 7)),
  'running a query': (visit) => begin(visit, words.query(sleep)),
  'running the first of several queries': (visit) =>
    begin(visit, words.query(sleep), ...Array(9).fill(words.query(sleep))),
  'between Parse and Bind': async (visit) => {
    visit.line.send(words.parse('', 'select 1'), words.flush())
    await until(visit, '1')
  },
  'between Bind and Execute': async (visit) => {
    visit.line.send(words.parse('', 'select 1'), words.bind('', ''), words.flush())
    await until(visit, '2')
  },
  'between Execute and Sync': async (visit) => {
    visit.line.send(...step('select 1'), words.flush())
    await until(visit, 'C')
  },
  'with a portal that is read in part': async (visit) => {
    visit.line.send(
      words.parse('', 'select generate_series(1, 9)'),
      words.bind('', ''),
      words.execute('', 2),
      words.flush(),
    )
    await until(visit, 's')
  },
  'in a batch that has failed': async (visit) => {
    visit.line.send(...step('select 1 / (random() * 0)::int'), words.flush())
    await until(visit, 'E')
    visit.line.send(...step('select 2'))
  },
  'running a batch': (visit) => begin(visit, ...step(sleep), words.sync()),
  'running the first of several batches': (visit) =>
    begin(visit, ...step(sleep), words.sync(), ...step('select 1'), words.sync(), ...step(sleep), words.sync()),
  'copying in': async (visit) => {
    visit.line.send(words.query('create temp table t (a int); copy t from stdin'))
    await until(visit, 'G')
    visit.line.send(words.copyData('1\n'))
  },
  'copying in, in the middle of a message': async (visit) => {
    visit.line.send(words.query('create temp table t (a int); copy t from stdin'))
    await until(visit, 'G')
    visit.line.socket.write(words.copyData('1\n'.repeat(100)).subarray(0, 50))
  },
  'copying in within a batch': async (visit) => {
    visit.line.send(words.query('create temp table t (a int)'))
    await visit.line.untilReady()
    visit.line.send(...step('copy t from stdin'), words.flush())
    await until(visit, 'G')
    visit.line.send(words.copyData('1\n'))
  },
  'copying out': async (visit) => {
    visit.line.send(words.query(`copy (${endless}) to stdout`))
    await until(visit, 'd')
  },
  'reading rows': async (visit) => {
    visit.line.send(words.query(endless))
    await until(visit, 'D')
  },
  'waiting for an approver': (visit) => begin(visit, words.query('select 1 as careful')),
  'waiting for an approver, with more to say': async (visit) => {
    await begin(visit, words.query('select 1 as careful'))
    visit.line.send(words.query('select 2'))
  },
  'waiting for an approver within a batch': (visit) => begin(visit, ...step('select 1 as careful'), words.sync()),
  'with a cancel under way': async (visit) => {
    await begin(visit, words.query(sleep))
    const { processId, key } = visit.line.key!
    ;(await ring(visit.gateway)).write(cancelRequest(processId, key))
  },
  'kept back by its recorder': async (visit) => {
    visit.recorder.press()
    await begin(visit, words.query('select 1'))
    visit.line.send(words.query('select 2'))
  },
}
