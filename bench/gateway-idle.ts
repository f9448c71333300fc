/** Thousands of sessions that say nothing, or little: what each weighs in the process that holds it, and how it is answered. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { Login } from './access.ts'
import { connectRaw, type RawClient } from './gateway-clients.ts'
import { type Middle, startGateway, startRelay } from './gateway-middle.ts'
import { asTarget, standInForTarget, token, verifierOf } from './gateway-stand.ts'
import type { BenchOptions, Row } from './harness.ts'
import { against, figureOf, inParallel, numbers, tailOf } from './harness.ts'

/** Logins under way at once. */
const width = 16
/** Opened and closed before the first weighing, so that what is loaded once is loaded. */
const warming = 50

/** Between two statements of one session, where each says a little. */
const everyMs = 1_000
/** Until then all that they said at one moment has been written. */
const settleMs = 3_000

/** @property answersMs from when each statement was due to its answer */
type Held = { readonly perSessionBytes: number; readonly answering: number; readonly answersMs: readonly number[] }

export async function idling(folder: string, options: BenchOptions): Promise<Row[]> {
  const count = Math.min(options.quick ? 500 : 5_000, await sessionsPossible())
  const standIn = await standInForTarget()
  try {
    const { host, port } = standIn.login
    const relay = await held(await startRelay({ host, port }, options), standIn.login, { count, ...options })
    const secret = token()
    const target = asTarget(standIn.login)
    const setup = { target, verifier: await verifierOf(secret), dir: join(folder, 'recordings-of-idle') }
    const login = { ...standIn.login, user: 'reader', password: secret }
    const gateway = await held(await startGateway(setup, options), login, { count, ...options })
    return rowsOf(count, relay, gateway)
  } finally {
    await standIn.stop()
  }
}

/** Each takes three files in the gateway: two sockets, and its recording. */
async function sessionsPossible(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const files = Number(/^Max open files +\d+ +(\d+)/m.exec(limits)?.[1] ?? Infinity)
  return Math.floor((files - 500) / 3)
}

type Holding = Pick<BenchOptions, 'note' | 'quick'> & { readonly count: number }

async function held(middle: Middle, login: Login, { count, note, quick }: Holding): Promise<Held> {
  const open = (many: number): Promise<RawClient[]> =>
    inParallel(numbers(many), width, async () => {
      const client = await connectRaw({ ...login, port: middle.port })
      await client.say('select 1')
      return client
    })
  try {
    await close(await open(warming))
    const { rssBytes: before } = await middle.weigh({ collect: true })
    note(`opening ${count} that stay idle`)
    const clients = await open(count)
    const { rssBytes } = await middle.weigh({ collect: true })
    const answered = await Promise.allSettled(clients.map((client) => client.say('select 1')))
    note(`each of the ${count} says a little`)
    const times = quick ? 2 : 10
    const began = performance.now() + settleMs
    const answers = await Promise.all(
      clients.map((client, i) => sayALittle(client, { fromMs: began + (everyMs * i) / count, times })),
    )
    await close(clients)
    return {
      perSessionBytes: (rssBytes - before) / count,
      answering: answered.filter(({ status }) => status === 'fulfilled').length,
      answersMs: answers.flat(),
    }
  } finally {
    await middle.stop()
  }
}

/** By the clock: one that is answered late has the next one due no later. */
async function sayALittle(client: RawClient, { fromMs, times }: { fromMs: number; times: number }): Promise<number[]> {
  const late: number[] = []
  for (let time = 0; time < times; time++) {
    const dueMs = fromMs + time * everyMs
    await delay(Math.max(0, dueMs - performance.now()))
    const saidMs = performance.now()
    await client.say('select 1')
    late.push(performance.now() - Math.min(dueMs, saidMs))
  }
  return late
}

async function close(clients: readonly RawClient[]): Promise<void> {
  for (const client of clients) client.drop()
  await Promise.all(clients.map(({ cut }) => cut))
}

function rowsOf(count: number, relay: Held, gateway: Held): Row[] {
  const kB = ({ perSessionBytes }: Held): number => perSessionBytes / 1_000
  const sockets = figureOf(`resident for each of ${count} idle: bare Node relay, its two sockets`, kB(relay), 'kB')
  return [
    sockets,
    against(figureOf(`resident for each of ${count} idle: gateway`, kB(gateway), 'kB'), sockets),
    figureOf('  beyond the sockets', kB(gateway) - kB(relay), 'kB', { atMost: 50 }),
    figureOf(`gateway: of ${count} idle, so many answer when they are asked`, gateway.answering, 'count', {
      atLeast: count,
    }),
    tailOf(`answer to a statement, ${count} that say one each second: bare Node relay`, relay.answersMs),
    tailOf(`answer to a statement, ${count} that say one each second: gateway`, gateway.answersMs, { atMost: 50 }),
  ]
}
