/** The errands of postgres.js, which sends what it can without waiting. It has no binary form. */

import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import postgres from 'postgres'
import type { Client, Cues, Told, Way } from './errands.ts'

type Sql = ReturnType<typeof postgres>
type Failure = { readonly code?: string; readonly message?: string }

function connect({ credential, caFile }: Way, onnotice: (notice: { message?: string }) => void = () => undefined): Sql {
  return postgres({
    host: credential.host,
    port: credential.port,
    username: credential.user,
    password: credential.secret,
    database: credential.databases[0]!,
    ssl: caFile === undefined ? false : { ca: readFileSync(caFile, 'utf8') },
    max: 1,
    connection: { application_name: 'errands' },
    onnotice,
  })
}

export const postgresJs: Client = async (mission, way, cues) => {
  const notices: string[] = []
  const sql = connect(way, ({ message }) => notices.push(message ?? ''))
  try {
    const done = mission === 'wait' ? {} : await errands(sql, { notices, way }, cues)
    return { ...done, ...(await wait(sql, way, cues)) }
  } finally {
    await sql.end({ timeout: 1 })
  }
}

type Heard = { readonly notices: readonly string[]; readonly way: Way }

async function errands(sql: Sql, { notices, way }: Heard, cues: Cues): Promise<Told> {
  return {
    parameters: (await sql`select ${41}::int + 1, ${'é'}::text, ${null}::text`.values())[0],
    prepared: [await prepared(sql), (await sql`select count(*) > 0 as some from pg_prepared_statements`)[0]!['some']],
    batch: await batch(sql),
    copy: await copy(way),
    cursor: await cursor(sql),
    error: [...(await failing(sql)), (await sql`select 1 as one`)[0]!['one']],
    notice: await notice(sql, notices),
    notification: await notification(sql),
    large: String((await sql`select repeat('x', 20000000) as x`)[0]!['x']).length,
    cancel: [await cancelled(sql, cues), (await sql`select 1 as one`)[0]!['one']],
  }
}

async function prepared(sql: Sql): Promise<number> {
  const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => sql`select ${n}::int * 2 as n`))
  return answers.reduce((sum, [row]) => sum + Number(row!['n']), 0)
}

async function batch(sql: Sql): Promise<unknown> {
  await sql`create temp table batch (a int)`
  await Promise.all(Array.from({ length: 500 }, (_, n) => sql`insert into batch values (${n})`))
  return (await sql`select count(*)::int as n from batch`)[0]!['n']
}

/** On a connection of its own: a cursor that comes after a copy hangs now and then, without a gateway too. */
async function copy(way: Way): Promise<number> {
  const sql = connect(way)
  await sql`create temp table copied (a int, b text)`
  const rows = Array.from({ length: 10_000 }, (_, n) => `${n}\trow ${n}\n`)
  await pipeline(Readable.from(rows), await sql`copy copied from stdin`.writable())
  let count = 0
  for await (const chunk of await sql`copy copied to stdout`.readable()) count += String(chunk).split('\n').length - 1
  await sql.end({ timeout: 1 })
  return count
}

async function cursor(sql: Sql): Promise<number> {
  let count = 0
  for await (const rows of sql`select generate_series(1, 1000)`.cursor(100)) count += rows.length
  return count
}

const codeOf = (work: PromiseLike<unknown>): Promise<string> =>
  Promise.resolve(work).then(
    () => 'nothing was refused',
    (error: Failure) => error.code ?? error.message ?? 'failed',
  )

async function failing(sql: Sql): Promise<readonly string[]> {
  const codes: string[] = []
  const transaction = sql.begin(async (within) => {
    codes.push(await codeOf(within`select 1 / ${0}::int`))
    codes.push(await codeOf(within`select 1`))
  })
  await codeOf(transaction)
  return codes
}

async function notice(sql: Sql, notices: readonly string[]): Promise<string | undefined> {
  await sql`do $$ begin raise notice 'high water'; end $$`
  return notices.at(-1)
}

async function notification(sql: Sql): Promise<unknown> {
  const heard = new EventEmitter()
  const payload = once(heard, 'tide')
  const listening = await sql.listen('tide', (text) => heard.emit('tide', text))
  await sql.notify('tide', 'out')
  const told = ['tide', ...(await payload)]
  await listening.unlisten()
  return told
}

async function cancelled(sql: Sql, cues: Cues): Promise<string> {
  const query = sql`select pg_sleep(600)`.execute()
  const ended = codeOf(query)
  await cues.asleep()
  query.cancel()
  return ended
}

async function wait(sql: Sql, way: Way, { waiting }: Cues): Promise<Told> {
  const idle = connect(way)
  await idle`select 1`
  waiting()
  const told = ({ code = '', message = '' }: Failure): readonly [string, string] => [code, message]
  const ended = await sql`select pg_sleep(600)`.then(() => told({}), told)
  await idle.end({ timeout: 1 })
  const anew = connect(way)
  const again = await anew`select 1`.then(() => told({}), told)
  await anew.end({ timeout: 1 })
  return { ended, again: again[1] }
}
