/** The errands of node-postgres. It copies nothing by itself, and reads its own binary form wrong. */

import { readFileSync } from 'node:fs'
import pg from 'pg'
import type { Client, Cues, Told, Way } from './errands.ts'

/** What node-postgres has, and its types do not. */
type Canceller = { cancel: (client: pg.Client, query: object) => void }

const settingsOf = ({ credential, caFile }: Way) => ({
  host: credential.host,
  port: credential.port,
  user: credential.user,
  password: credential.secret,
  database: credential.databases[0],
  ...(caFile !== undefined && { ssl: { ca: readFileSync(caFile, 'utf8') }, enableChannelBinding: true }),
})

async function connect(way: Way): Promise<pg.Client> {
  const client = new pg.Client(settingsOf(way))
  client.on('error', () => undefined)
  await client.connect()
  return client
}

export const nodePostgres: Client = async (mission, way, cues) => {
  const client = await connect(way)
  const done = mission === 'wait' ? {} : await errands(client, way, cues)
  return { ...done, ...(await wait(client, way, cues)) }
}

async function errands(client: pg.Client, way: Way, cues: Cues): Promise<Told> {
  const row = async (text: string, values?: unknown[]): Promise<unknown[]> =>
    (await client.query<unknown[]>({ text, rowMode: 'array', ...(values && { values }) })).rows[0]!
  const one = async (text: string): Promise<unknown> => (await row(text))[0]

  return {
    parameters: await row('select $1::int + 1, $2::text, $3::text', [41, 'é', null]),
    prepared: [await prepared(client), await one('select count(*) > 0 from pg_prepared_statements')],
    batch: await batch(client),
    cursor: await cursor(client),
    error: [...(await failing(client)), await one('select 1')],
    notice: await notice(client),
    notification: await notification(client),
    large: String(await one("select repeat('x', 20000000)")).length,
    cancel: [await cancelled(client, way, cues), await one('select 1')],
  }
}

async function prepared(client: pg.Client): Promise<number> {
  let sum = 0
  for (let n = 0; n < 10; n++) {
    sum += (await client.query({ name: 'twice', text: 'select $1::int * 2 as n', values: [n] })).rows[0].n
  }
  return sum
}

async function batch(client: pg.Client): Promise<number> {
  await client.query('create temp table batch (a int)')
  await Promise.all(Array.from({ length: 500 }, (_, n) => client.query('insert into batch values ($1)', [n])))
  return (await client.query('select count(*)::int as n from batch')).rows[0].n
}

async function cursor(client: pg.Client): Promise<number> {
  await client.query('begin')
  await client.query('declare reading cursor for select generate_series(1, 1000)')
  let [count, got] = [0, -1]
  while (got !== 0) count += got = (await client.query('fetch 100 from reading')).rows.length
  await client.query('commit')
  return count
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'nothing was refused',
    (error: { code?: string; message?: string }) => error.code ?? error.message ?? 'failed',
  )

async function failing(client: pg.Client): Promise<readonly string[]> {
  await client.query('begin')
  const first = await codeOf(client.query('select 1 / $1::int', [0]))
  const second = await codeOf(client.query('select 1'))
  await client.query('rollback')
  return [first, second]
}

async function notice(client: pg.Client): Promise<string | undefined> {
  let heard: string | undefined
  client.once('notice', ({ message }) => (heard = message))
  await client.query("do $$ begin raise notice 'high water'; end $$")
  return heard
}

async function notification(client: pg.Client): Promise<unknown> {
  const heard = new Promise<pg.Notification>((resolve) => client.once('notification', resolve))
  await client.query('listen tide')
  await client.query("notify tide, 'out'")
  const { channel, payload } = await heard
  return [channel, payload]
}

async function cancelled(client: pg.Client, way: Way, cues: Cues): Promise<string> {
  const query = new pg.Query('select pg_sleep(600)')
  const ended = new Promise<string>((resolve) =>
    query.once('error', (error) => resolve((error as { code?: string }).code ?? String(error))),
  )
  client.query(query)
  await cues.asleep()
  const canceller = new pg.Client(settingsOf(way))
  canceller.on('error', () => undefined)
  ;(canceller as unknown as Canceller).cancel(client, query)
  return ended
}

async function wait(client: pg.Client, way: Way, { waiting }: Cues): Promise<Told> {
  const idle = new pg.Client(settingsOf(way))
  const sentAway = new Promise<readonly [string, string]>((resolve) =>
    idle.on('error', (error) => resolve(told(error))),
  )
  await idle.connect()
  waiting()
  const ended = await client.query('select pg_sleep(600)').then(() => told({}), told)
  return { ended, idle: await sentAway, again: (await connect(way).then(() => told({}), told))[1] }
}

const told = ({ code = '', message = '' }: { code?: string; message?: string }): readonly [string, string] => [
  code,
  message,
]
