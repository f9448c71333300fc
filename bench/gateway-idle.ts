/** Thousands of sessions that say nothing: what each of them weighs in the process that holds it. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Login } from './access.ts'
import { connectRaw, type RawClient } from './gateway-clients.ts'
import { type Middle, startGateway, startRelay } from './gateway-middle.ts'
import { asTarget, standInForTarget, token, verifierOf } from './gateway-stand.ts'
import type { BenchOptions, Row } from './harness.ts'
import { against, figureOf, inParallel, numbers } from './harness.ts'

/** Logins under way at once. */
const width = 16
/** Opened and closed before the first weighing, so that what is loaded once is loaded. */
const warming = 50

type Held = { readonly perSessionBytes: number; readonly answering: number }

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

type Holding = Pick<BenchOptions, 'note'> & { readonly count: number }

async function held(middle: Middle, login: Login, { count, note }: Holding): Promise<Held> {
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
    await close(clients)
    return {
      perSessionBytes: (rssBytes - before) / count,
      answering: answered.filter(({ status }) => status === 'fulfilled').length,
    }
  } finally {
    await middle.stop()
  }
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
  ]
}
