/** What a client gets of masked results: by each method, in each form, through each part of the protocol. */

import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { startGatewayForTest } from '../postgres/testing/gateway.ts'
import { runPsql } from '../postgres/testing/psql.ts'
import { dial, type Line, say, words } from '../postgres/testing/wire.ts'
import { readError } from '../postgres/wire/server-messages.ts'
import { createMask } from './mask.ts'
import { connected, emailRules, rulesOf, secrets, startShop, testKey } from './testing/shop.ts'

const by = (method: string): ReturnType<typeof rulesOf> =>
  rulesOf({ columns: [{ names: ['email', 'score'], tables: ['public.customers'], by: method }] })

/** The cells of the rows among some messages; bytes that are no text show as such. */
const cellsOf = (frames: readonly { type: string; buffer: Buffer }[]): readonly (readonly (string | null)[])[] =>
  frames.filter(({ type }) => type === 'D').map(({ buffer }) => cellsIn(buffer))

function cellsIn(row: Buffer): readonly (string | null)[] {
  const cells: (string | null)[] = []
  for (let at = 7; at < row.length;) {
    const size = row.readInt32BE(at)
    cells.push(size < 0 ? null : row.toString('utf8', at + 4, at + 4 + size))
    at += 4 + Math.max(0, size)
  }
  return cells
}

const copied = async (line: Line, sql: string): Promise<string> => {
  line.send(words.query(sql))
  const frames = await line.untilReady()
  const error = frames.find(({ type }) => type === 'E')
  if (error) return `refused: ${readError(error)?.message ?? ''}`
  return frames.map(({ type, buffer }) => (type === 'd' ? buffer.toString('utf8', 5) : '')).join('')
}

describe('a masked column', () => {
  test.each([
    ['full', '***', '***'],
    ['partial', 'a***********@corp.example', 'b*********@corp.example'],
    ['null', null, null],
  ])('is shown by %s where it is a column, and what is no text is left out', async (method, alice, bob) => {
    const client = await connected(await startShop(by(method)))
    const { rows } = await client.query('select *, email as again from customers order by id')
    expect(rows).toEqual([
      { id: 1, name: 'Alice', email: alice, score: null, joined: expect.any(Date), again: alice },
      { id: 2, name: 'Bob', email: bob, score: null, joined: expect.any(Date), again: bob },
    ])
  })

  test('hashes to the same value in every session, and joins still find it', async () => {
    const world = await startShop(by('hash'))
    const [one, two] = [await connected(world), await connected(world)]
    const sql = 'select email from customers order by id'
    const { rows } = await one.query(sql)
    expect(rows).toEqual((await two.query(sql)).rows)
    expect(new Set(rows.map(({ email }) => email)).size).toBe(2)
    expect(rows[0].email).toMatch(/^hash:[0-9a-f]{32}$/)
    const joined = await one.query('select a.id, b.email from customers a join customers b using (email) order by 1')
    expect(joined.rows.map(({ email }) => email)).toEqual(rows.map(({ email }) => email))
  })

  test.each(['partial', 'hash'])('gives nothing by pieces of it, where the rule is %s', async (method) => {
    const client = await connected(await startShop(by(method)))
    for (const sql of [
      'select substr(email, 1, 3) as email from customers',
      'select email from (select substr(email, 1, 3) as email from customers) customers',
      'with customers as (select id, right(email, 3) as email from customers) select email from customers',
    ]) {
      expect([sql, (await client.query(sql)).rows]).toEqual([sql, [{ email: '***' }, { email: '***' }]])
    }
  })

  test('leaves alone what is not masked', async () => {
    const client = await connected(await startShop(emailRules))
    const rowsOf = async (text: string): Promise<unknown> => (await client.query({ text, rowMode: 'array' })).rows
    expect(
      await rowsOf('select c.name, o.note from customers c join orders o on o.customer_id = c.id order by 1'),
    ).toEqual([
      ['Alice', 'first'],
      ['Bob', 'second'],
    ])
    expect(await rowsOf('select count(*)::int, count(email)::int, max(name) from customers')).toEqual([[2, 2, 'Bob']])
    expect(await rowsOf(`select upper(name) from customers where email like 'alice%' order by email`)).toEqual([
      ['ALICE'],
    ])
    expect(await rowsOf('with c as (select * from customers) select upper(name) from c where id = 2')).toEqual([
      ['BOB'],
    ])
    expect(await rowsOf('select upper(name) as n from people where id = 1')).toEqual([['ALICE']])
    expect(await rowsOf(`select o.note || '!' from orders o where exists (select email from customers)`)).toHaveLength(
      2,
    )
    expect(await rowsOf(`select row_number() over (order by email) from customers`)).toEqual([['1'], ['2']])
    expect(
      await rowsOf(
        `insert into customers values (3, 'C', 'c@x') on conflict (id) do update set email = excluded.email returning name`,
      ),
    ).toEqual([['C']])
    expect(await rowsOf(`update customers set email = 'new' where id = 3 returning id, email`)).toEqual([[3, '***']])
  })

  test('keeps errors that are found while a text is read, and the hint of a refusal names the rule', async () => {
    const client = await connected(await startShop(emailRules))
    await expect(client.query('select emial from customers')).rejects.toThrow('column "emial" does not exist')
    await expect(client.query('select email::int from customers')).rejects.toMatchObject({
      code: '22P02',
      detail: undefined,
    })
    await expect(client.query('create table t as select email from customers')).rejects.toMatchObject({
      code: '42501',
      hint: expect.stringContaining('"mask"'),
    })
  })

  test('is masked for a role that nobody has put a mask on before, whatever its search path', async () => {
    const world = await startShop(rulesOf({ columns: [{ names: ['*MAIL*'], by: 'full' }] }))
    const client = await connected(world)
    await client.query('create temp table mine (my_email text); set search_path = pg_temp, public')
    await client.query(`insert into mine values ('x@secret')`)
    expect((await client.query('select lower(my_email) as y from mine')).rows).toEqual([{ y: '***' }])
    expect((await client.query('select email from customers limit 1')).rows).toEqual([{ email: '***' }])
  })
})

describe('the protocol', () => {
  const plain = (sql: string, name = ''): Buffer[] => [words.parse(name, sql), words.bind('', name), words.execute('')]

  test('gives rows of a statement that nobody has described without what may be masked', async () => {
    const line = await dial((await startShop(emailRules)).connection)
    line.send(...plain('select id, email, name from customers where id = 1'), words.sync())
    expect(cellsOf(await line.untilReady())).toEqual([['1', null, 'Alice']])
    line.send(...plain('select * from customers where id = 1'), words.sync())
    expect(cellsOf(await line.untilReady())).toEqual([[null, null, null, null, null]])
  })

  test('masks by the description of the statement for as long as it is there', async () => {
    const line = await dial((await startShop(by('partial'))).connection)
    line.send(words.parse('s', 'select email from customers where id = 1'), words.describe('S', 's'), words.sync())
    await line.untilReady()
    for (let again = 0; again < 2; again++) {
      line.send(words.bind('', 's'), words.execute(''), words.sync())
      expect(cellsOf(await line.untilReady())).toEqual([['a***********@corp.example']])
    }
  })

  test('masks a portal that is read in parts', async () => {
    const line = await dial((await startShop(emailRules)).connection)
    line.send(words.query('begin'), words.parse('', 'select name, email from customers order by id'))
    line.send(words.bind('p', ''), words.describe('P', 'p'), words.execute('p', 1), words.sync())
    await line.untilReady()
    expect(cellsOf(await line.untilReady())).toEqual([['Alice', '***']])
    line.send(words.execute('p', 1), words.sync())
    expect(cellsOf(await line.untilReady())).toEqual([['Bob', '***']])
  })

  test('masks what SQL runs by a name that the protocol gave', async () => {
    const line = await dial((await startShop(emailRules)).connection)
    line.send(
      words.query('begin'),
      words.parse('s', 'select lower(email) from customers'),
      words.bind('p', 's'),
      words.sync(),
    )
    line.send(words.query('fetch 1 from p'), words.query('execute s'))
    const answers = [await line.untilReady(), await line.untilReady(), await line.untilReady(), await line.untilReady()]
    expect(answers.map(cellsOf)).toEqual([[], [], [['***']], [['***'], ['***']]])
  })

  test.each([
    ['a portal', 'close p; declare p cursor for select lower(email) from customers', [words.execute('p')]],
    [
      'a statement',
      'deallocate s; prepare s as select lower(email) from customers',
      [words.bind('', 's'), words.execute('')],
    ],
  ])('does not take %s for what it was before SQL gave its name to something else', async (_, sql, use) => {
    const line = await dial((await startShop(emailRules)).connection)
    const safe = 'select note from orders'
    line.send(
      words.query('begin'),
      words.parse('s', safe),
      words.bind('p', 's'),
      words.describe('P', 'p'),
      words.sync(),
    )
    line.send(words.query(sql), ...use, words.sync())
    const all = [
      await line.untilReady(),
      await line.untilReady(),
      await line.untilReady(),
      await line.untilReady(),
    ].flat()
    expect(cellsOf(all)).toEqual([[null], [null]])
  })

  test('has no function calls by number', async () => {
    const line = await dial((await startShop(emailRules)).connection)
    line.send(say('F', 2026, Buffer.from([0, 0, 0, 0, 0, 0])))
    expect(await line.types()).toBe('EZ')
  })

  test.each(['select 1 / 0', 'select null', `select 'no JSON'`])(
    'has no session where what is masked cannot be found out: %s',
    async (question) => {
      const mask = { ...createMask(emailRules, { key: testKey }), question }
      const world = await startGatewayForTest({ admission: { mask } })
      const client = new Client(world.connection)
      await expect(client.connect()).rejects.toMatchObject({ code: '58000' })
      expect(world.logged[0]).toContain('mask-failed')
      expect(world.sessions).toEqual([])
    },
  )
})

describe('COPY', () => {
  test('masks named columns as text and as CSV, and refuses what it could not', async () => {
    const line = await dial((await startShop(by('partial'))).connection)
    const shown = 'a***********@corp.example'
    expect(await copied(line, 'copy customers (id, email, name) to stdout')).toMatch(`1\t${shown}\tAlice\n`)
    expect(await copied(line, `copy customers (email, id) to stdout (format csv, header)`)).toMatch(
      `email,id\n"${shown}","1"\n`,
    )
    expect(await copied(line, 'copy (select lower(email) as x, id from customers where id = 1) to stdout')).toBe(
      '***\t1\n',
    )
    expect(await copied(line, `copy (select id, name from customers where id = 1) to stdout (format csv)`)).toBe(
      '1,Alice\n',
    )
    expect(await copied(line, 'copy (update customers set id = id where id = 1 returning email) to stdout')).toBe(
      '***\n',
    )
    for (const refused of [
      'copy customers to stdout',
      'copy (select * from customers) to stdout',
      'copy (table customers) to stdout',
      'copy customers (email) to stdout (format binary)',
      `copy customers (email) to '/tmp/tidegate-mask'`,
      `copy (select note, name from orders o, customers c union select email, name from customers) to program 'cat'`,
    ]) {
      expect([refused, await copied(line, refused)]).toEqual([refused, expect.stringContaining('refused: COPY')])
    }
    expect(await copied(line, 'copy orders to stdout')).toContain('first')
  })

  test('and psql show nothing of it', async () => {
    const world = await startShop(emailRules)
    const ran = await runPsql(world, [
      '-c',
      'select * from customers',
      '-c',
      '\\copy (select id, email from customers) to stdout csv',
      '-c',
      'select email from customers \\gset',
      '-c',
      '\\echo :email',
    ])
    expect(ran.stderr).not.toMatch(/secret|hidden/)
    expect(ran.stdout).toContain('Alice')
    for (const secret of secrets) expect(ran.stdout).not.toContain(secret)
  })
})

describe('values that are detected', () => {
  const card = '4111111111111111'
  const detect = rulesOf({ detect: [{ kinds: ['email', 'card'], by: 'partial' }] })
  const masked = '************1111'

  test.each([false, true])(
    'are masked wherever they stand, and what cannot be read is left out (binary: %s)',
    async (binary) => {
      const client = await connected(await startShop(detect))
      const cellOf = async (expression: string): Promise<unknown> => {
        const query = { text: `select ${expression} as x`, queryMode: 'extended', binary, rowMode: 'array' } as const
        const result = await client.query<[unknown]>(query)
        return result.rows[0]?.[0]
      }
      const inText = async (expression: string): Promise<string> => String(await cellOf(expression))
      expect(await inText(`'card ${card} of alice@b.example'::text`)).toBe(`card ${masked} of a****@b.example`)
      expect(await inText(`'${card}'::varchar`)).toBe(masked)
      expect(await cellOf(`${card}::int8`)).toBeNull()
      expect(await cellOf(`${card}::numeric`)).toBeNull()
      expect(await cellOf(`${card}::float8`)).toBeNull()
      expect(await cellOf(`'{"n": ${card}}'::json`)).toBeNull()
      expect(await cellOf(`'${card}'::bytea`)).toBeNull()
      expect(await inText(`7::int4`)).not.toBe('null')
      const list = JSON.stringify(await cellOf(`array['${card}']`))
      expect(list).toBe(binary ? 'null' : JSON.stringify([masked]))
      expect(JSON.stringify(await cellOf(`'{"n": "${card}"}'::json`))).not.toContain(card)
      expect(JSON.stringify(await cellOf(`'{"n": "${card}"}'::jsonb`))).not.toContain(card)
    },
  )

  test('are masked in rows of COPY, in errors and in notices', async () => {
    const world = await startShop(detect)
    const line = await dial(world.connection)
    expect(await copied(line, `copy (select '${card}', 1) to stdout`)).toBe(`${masked}\t1\n`)
    expect(await copied(line, `copy (select '${card}', 'alice@b.example') to stdout (delimiter '@')`)).toBe(
      `${masked}@a****\\@b.example\n`,
    )
    expect(await copied(line, `copy (select '${card}') to stdout (format binary)`)).toContain('refused')
    line.send(words.query(`select '${card}x'::int`))
    expect(readError((await line.untilReady())[0]!)?.message).toContain(masked)
    line.send(words.query(`do $$ begin raise notice '%', '${card}'; end $$`))
    expect(readError((await line.untilReady())[0]!)?.message).toBe(masked)
  })
})
