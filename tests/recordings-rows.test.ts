/** Rows in recordings: what the client saw of them, and never more. */

import { join } from 'node:path'
import { instant } from '@tidegate/core'
import { readRecording, recordingFolder } from '@tidegate/gateway'
import type { RecordedEvent } from '@tidegate/gateway'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { sessionRules } from '../packages/cli/src/gateway/session-rules.ts'
import { run } from '../packages/gateway/src/postgres/testing/psql.ts'
import { libpqOf, opened } from './support/access.ts'
import type { Credential } from './support/access.ts'
import { connectedWorld, sessionsOf } from './support/connected.ts'
import { edited } from './support/edit.ts'
import { hasProgram } from './support/programs.ts'
import type { Parts, World, WorldOptions } from './support/tidegate.ts'
import { defaultFiles } from './support/tidegate.ts'

const hasPsql = hasProgram('psql', 'apt-get install postgresql-client')

type Wish = { readonly recording: string; readonly mask?: string }

const worldWith = async ({ recording, mask = '' }: Wish): Promise<WorldOptions> => ({
  sessionRules: await sessionRules(),
  files: (parts: Parts): World['files'] => {
    const owner = '    owner: orders-team'
    const role = '        risk: low'
    const recorded = edited(defaultFiles(parts), 'orders-db.yaml', [owner, `${owner}\n    recording: ${recording}`])
    return edited(recorded, 'orders-db.yaml', [role, `${role}${mask}`])
  },
})

type Rows = Extract<RecordedEvent, { type: 'rows' }>
type Use = (credential: Credential) => Promise<unknown>

/** What is in the recording of the rows of a session that did that. */
async function rowsOf(wish: Wish, use: Use): Promise<{ rows: Rows[]; all: string }> {
  const { world, options } = await connectedWorld({}, await worldWith(wish))
  const { credential } = await opened(world.as('alice'))
  await use(credential)
  const [over] = await sessionsOf(world.admin, 1, 'false')
  const folder = recordingFolder(join(options.dir, 'recordings'), over!.id, instant(Date.parse(over!.startedAt)))
  const events = []
  for await (const event of readRecording(folder)) events.push(event)
  return { rows: events.filter((event) => event.type === 'rows'), all: JSON.stringify(events) }
}

/** With node-postgres: every query extended where it has values, simple where it has none. */
const withClient =
  (work: (client: pg.Client) => Promise<unknown>): Use =>
  async ({ host, port, databases, user, secret }) => {
    const client = new pg.Client({ host, port, database: databases[0], user, password: secret })
    await client.connect()
    onTestFinished(() => client.end().catch(() => undefined))
    await work(client)
    await client.end()
  }

const emails = 'select id, email from shop.customers order by id limit 2'

test('rows that are to be kept are kept, of simple and extended queries, as text and as bytes', async () => {
  const { rows } = await rowsOf(
    { recording: '{ rows: keep }' },
    withClient(async (client) => {
      await client.query(`select 1 as one, null as nothing, 'é' as letter; select 2 as two`)
      await client.query({ text: 'select $1::int + n as sum from generate_series(1, 2) as n', values: [40] })
      const inBinary = { text: 'select $1::int as sum', values: [7], binary: true }
      await client.query(inBinary as pg.QueryConfig)
    }),
  )
  expect(rows.map(({ statement, columns, rows: cells }) => ({ statement, columns, cells }))).toEqual([
    { statement: 1, columns: ['one', 'nothing', 'letter'], cells: [['1', null, 'é']] },
    { statement: 1, columns: ['two'], cells: [['2']] },
    { statement: 2, columns: ['sum'], cells: [['41'], ['42']] },
    { statement: 3, columns: ['sum'], cells: [[Uint8Array.of(0, 0, 0, 7)]] },
  ])
})

test('what a mask hides of them is hidden in the recording too', async () => {
  const seen: string[] = []
  const { rows, all } = await rowsOf(
    { recording: '{ rows: keep }', mask: '\n        mask: { columns: [{ names: [email], by: partial }] }' },
    withClient(async (client) => {
      for (const query of [emails, { text: `${emails} offset $1`, values: [0] }]) {
        const answer = await client.query<{ email: string }>(query as string)
        seen.push(...answer.rows.map(({ email }) => email))
      }
    }),
  )
  expect(seen.every((email) => email.includes('*'))).toBe(true)
  expect(rows.flatMap((event) => event.rows.map((cells) => cells[1]))).toEqual(seen)
  expect(all).not.toMatch(/[a-z]{2}@/)
})

test.skipIf(!hasPsql)('of a COPY the lines are kept that the client got, masked where they were', async () => {
  const { rows } = await rowsOf(
    { recording: '{ rows: keep }', mask: '\n        mask: { columns: [{ names: [email], by: full }] }' },
    async (credential) => {
      const env = libpqOf(credential)
      const { stdout } = await run('psql', ['-X', '-c', `copy (${emails}) to stdout`], { env })
      expect(stdout.split('\n').filter(Boolean)).toHaveLength(2)
      expect(stdout).not.toContain('@')
    },
  )
  expect(rows.flatMap((event) => event.rows.map(([line]) => line))).toEqual([
    expect.stringMatching(/^1\t[^@]+$/),
    expect.stringMatching(/^2\t[^@]+$/),
  ])
})

test('of more rows than there is room for the first are kept, and it says that there were more', async () => {
  const { rows } = await rowsOf(
    { recording: '{ rows: keep }' },
    withClient(async (client) => {
      await client.query(`select n, repeat('x', 1000) from generate_series(1, 1000) as n`)
      await client.query(`select repeat('y', 200000) as long`)
      await client.query('select 1 as one')
    }),
  )
  const of = (statement: number) => rows.filter((event) => event.statement === statement)
  const kept = of(1).flatMap((event) => event.rows.map(([n]) => n))
  expect(kept.length).toBeGreaterThan(10)
  expect(kept).toEqual(Array.from(kept, (_, index) => String(index + 1)))
  expect(of(1).at(-1)).toMatchObject({ truncated: true })
  expect(of(2)).toMatchObject([{ rows: [], truncated: true }])
  expect(of(3)).toMatchObject([{ rows: [['1']] }])
})

test('where rows are to be sealed no value of them is in the recording, and where they are not kept there are none', async () => {
  const use = withClient((client) => client.query(`select 'a value of a row' as value, 42 as number`))
  const sealed = await rowsOf({ recording: '{ rows: commit, text: commit }' }, use)
  expect(sealed.rows).toMatchObject([{ rows: [[{ commitment: expect.stringMatching(/^c1:/) }, {}]] }])
  expect(sealed.all).not.toContain('a value of a row')
  const none = await rowsOf({ recording: '{ rows: none, text: commit }' }, use)
  expect(none.rows).toEqual([])
})
