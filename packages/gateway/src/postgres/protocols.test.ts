/** What PostgreSQL's protocols can do, through the gateway, with node-postgres and by hand. */

import { Client, type Notification } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startGatewayForTest, type TestGateway } from './testing/gateway.ts'
import { dial, say, words } from './testing/wire.ts'
import { readError } from './wire/server-messages.ts'

async function clientOf(world: TestGateway, settings: object = {}): Promise<Client> {
  const client = new Client({ ...world.connection, ...settings })
  client.on('error', () => undefined)
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

describe('node-postgres', () => {
  test('queries with and without parameters, and what it sent is recorded', async () => {
    const world = await startGatewayForTest()
    const client = await clientOf(world)
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    const { rows } = await client.query('select $1::text || $2::text as both', ['a', null])
    expect(rows).toEqual([{ both: null }])
    await client.query('create temp table t (a int)')
    await client.query('insert into t select * from generate_series(1, $1)', [7])
    expect(world.recorder().of('statement')).toMatchObject([
      { statement: 1, protocol: 'simple', text: 'select 1 as one' },
      { statement: 2, protocol: 'extended', text: 'select $1::text || $2::text as both', parameters: ['a', null] },
      { statement: 3, protocol: 'simple' },
      { statement: 4, protocol: 'extended', parameters: ['7'] },
    ])
    expect(world.recorder().of('result')).toMatchObject([
      { statement: 1, rows: 1, tag: 'SELECT 1' },
      { statement: 2, rows: 1, tag: 'SELECT 1' },
      { statement: 3, rows: 0, tag: 'CREATE TABLE' },
      { statement: 4, rows: 7, tag: 'INSERT 0 7' },
    ])
  })

  test('sees errors as they are, and goes on', async () => {
    const world = await startGatewayForTest()
    const client = await clientOf(world)
    await expect(client.query('select wrong')).rejects.toMatchObject({ code: '42703', position: '8' })
    await expect(client.query('select 1 / $1::int', [0])).rejects.toMatchObject({ code: '22012' })
    await expect(client.query('selec $1', [0])).rejects.toMatchObject({ code: '42601' })
    expect((await client.query('select 2 as two')).rows).toEqual([{ two: 2 }])
    expect(world.recorder().of('result')).toMatchObject([
      { statement: 1, error: { sqlstate: '42703', message: 'column "wrong" does not exist' } },
      { statement: 2, error: { sqlstate: '22012' } },
      { statement: 3, error: { sqlstate: '42601' } },
      { statement: 4, tag: 'SELECT 1' },
    ])
    expect(world.recorder().texts()[2]).toBe('selec $1')
  })

  test('prepares once and executes often', async () => {
    const world = await startGatewayForTest()
    const client = await clientOf(world)
    const query = { name: 'plus', text: 'select $1::int + 1 as n' }
    for (const n of [1, 2, 3]) expect((await client.query(query, [n])).rows).toEqual([{ n: n + 1 }])
    expect(world.recorder().of('statement')).toMatchObject(
      [1, 2, 3].map((n) => ({ text: query.text, parameters: [String(n)] })),
    )
  })

  test('hears notifications and notices', async () => {
    const world = await startGatewayForTest()
    const [listener, speaker] = [await clientOf(world), await clientOf(world)]
    const notices: (string | undefined)[] = []
    listener.on('notice', ({ message }) => notices.push(message))
    const heard = new Promise<Notification>((resolve) => listener.on('notification', resolve))
    await listener.query('listen tide')
    await listener.query("do $$ begin raise notice 'high water'; end $$")
    await speaker.query("notify tide, 'out'")
    expect(await heard).toMatchObject({ channel: 'tide', payload: 'out' })
    expect(notices).toEqual(['high water'])
  })

  test('reads through cursors, within transactions', async () => {
    const world = await startGatewayForTest()
    const client = await clientOf(world)
    await client.query('begin')
    await client.query('declare c cursor for select generate_series(1, 100) as n')
    expect((await client.query('fetch 30 from c')).rows).toHaveLength(30)
    expect((await client.query('fetch all from c')).rows).toHaveLength(70)
    await client.query('rollback')
    expect(world.recorder().of('result')[2]).toMatchObject({ rows: 30, tag: 'FETCH 30' })
  })

  test('sends and gets a value of 64 MB, and the gateway does not keep it', async () => {
    const world = await startGatewayForTest()
    const client = await clientOf(world)
    const size = 64 * 1024 * 1024 - 1024
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers - before)), 5)
    const { rows } = await client.query(`select length(repeat('x', ${size})) as n, repeat('x', ${size}) as x`)
    clearInterval(watch)
    expect(rows[0].n).toBe(size)
    expect(rows[0].x).toHaveLength(size)
    // The client is in this process too, and holds the row twice: while it arrives, and as it grows its buffer for it.
    expect(most).toBeLessThan(4.5 * size)
    expect(world.recorder().of('result')[0]).toMatchObject({ rows: 1, bytes: size + 23 })
    const sent = await client.query('select length($1::text) as n', ['y'.repeat(8 * 1024 * 1024)])
    expect(sent.rows).toEqual([{ n: 8 * 1024 * 1024 }])
  })
})

describe('by hand', () => {
  const types = async (world: TestGateway) => {
    const line = await dial(world.connection)
    return {
      line,
      ask: (...messages: Buffer[]) => {
        line.send(...messages)
        return line.types()
      },
    }
  }

  test('a pipeline is answered in order, and each answer is its statement’s', async () => {
    const world = await startGatewayForTest()
    const { ask } = await types(world)
    const step = (sql: string, ...values: string[]): Buffer[] => [
      words.parse('', sql),
      words.bind('', '', ...values),
      words.execute(''),
    ]
    expect(
      await ask(...step('select 1 where $1 = $1', 'a'), ...step('select generate_series(1, 3)'), words.sync()),
    ).toBe('12DC12DDDCZ')
    expect(world.recorder().of('result')).toMatchObject([
      { statement: 1, rows: 1 },
      { statement: 2, rows: 3 },
    ])
  })

  test('batches that do not wait for each other are answered each', async () => {
    const world = await startGatewayForTest()
    const { line, ask } = await types(world)
    const batch = (sql: string): Buffer[] => [words.parse('', sql), words.bind('', ''), words.execute(''), words.sync()]
    const first = await ask(
      ...batch('select 1'),
      ...batch('select 1 / (random() * 0)::int'),
      ...batch('select 2'),
      words.query('select 3'),
    )
    expect([first, await line.types(), await line.types(), await line.types()]).toEqual([
      '12DCZ',
      '12EZ',
      '12DCZ',
      'TDCZ',
    ])
    expect(world.recorder().of('result')).toMatchObject([
      { statement: 1, tag: 'SELECT 1' },
      { statement: 2, error: { sqlstate: '22012' } },
      { statement: 3, tag: 'SELECT 1' },
      { statement: 4, tag: 'SELECT 1' },
    ])
  })

  test('after an error the rest of a batch is skipped, and recorded as skipped', async () => {
    const world = await startGatewayForTest()
    const { ask } = await types(world)
    const answers = await ask(
      words.parse('a', 'select 1'),
      words.bind('', 'a'),
      words.execute(''),
      words.parse('', 'select 1 / (random() * 0)::int'),
      words.bind('', ''),
      words.execute(''),
      words.bind('', 'a'),
      words.execute(''),
      words.sync(),
    )
    expect(answers).toBe('12DC12EZ')
    expect(world.recorder().of('result')).toMatchObject([
      { statement: 1, rows: 1 },
      { statement: 2, error: { sqlstate: '22012', message: 'division by zero' } },
      { statement: 3, error: { sqlstate: '22012', message: 'skipped after an error' } },
    ])
  })

  test('a name that was given in a skipped batch does not hide what runs', async () => {
    const world = await startGatewayForTest()
    const { line, ask } = await types(world)
    await ask(words.parse('a', "select 'evil'"), words.sync())
    // The target skips the second Parse, so that `a` stays what it was; the next batch comes before that is known.
    line.send(
      words.bind('', 'no such'),
      words.close('S', 'a'),
      words.parse('a', "select 'innocent'"),
      words.sync(),
      words.bind('', 'a'),
      words.execute(''),
      words.sync(),
    )
    expect([await line.types(), await line.types()]).toEqual(['EZ', '2DCZ'])
    expect(world.recorder().texts().at(-1)).toBe("select 'evil'")
  })

  test('a name that SQL may have given to something else is recorded by its name', async () => {
    const world = await startGatewayForTest()
    const { line, ask } = await types(world)
    await ask(words.parse('a', "select 'innocent'"), words.sync())
    line.send(
      words.query("deallocate a; prepare a as select 'evil'"),
      words.bind('', 'a'),
      words.execute(''),
      words.sync(),
    )
    expect([await line.types(), await line.types()]).toEqual(['CCZ', '2DCZ'])
    expect(world.recorder().texts()).toEqual(["deallocate a; prepare a as select 'evil'", 'EXECUTE "a"'])
  })

  test('a portal is read in parts, which are results of one statement', async () => {
    const world = await startGatewayForTest()
    const { ask } = await types(world)
    expect(
      await ask(
        words.parse('', 'select generate_series(1, 5)'),
        words.bind('p', ''),
        words.describe('P', 'p'),
        words.execute('p', 2),
        words.execute('p', 2),
        words.execute('p', 2),
        words.sync(),
      ),
    ).toBe('12TDDsDDsDCZ')
    expect(world.recorder().of('statement')).toHaveLength(1)
    expect(
      world
        .recorder()
        .of('result')
        .map(({ rows }) => rows),
    ).toEqual([2, 2, 1])
  })

  test('a Flush brings answers before the Sync', async () => {
    const world = await startGatewayForTest()
    const { line } = await types(world)
    line.send(words.parse('', 'select 1'), words.describe('S', ''), words.flush())
    const got = [(await line.next()).type, (await line.next()).type, (await line.next()).type]
    line.send(words.bind('', ''), words.execute(''), words.sync())
    expect([got.join(''), await line.types()]).toEqual(['1tT', '2DCZ'])
  })

  test('ten thousand queries that nobody waits for are answered all', async () => {
    const world = await startGatewayForTest()
    const { line } = await types(world)
    const count = 10_000
    line.send(...Array.from({ length: count }, (_, i) => words.query(`select ${i}`)))
    for (let i = 0; i < count; i++) expect(await line.types()).toBe('TDCZ')
    expect(world.recorder().of('result')).toHaveLength(count)
  })

  test('copy goes in and out, and is counted', async () => {
    const world = await startGatewayForTest()
    const { line, ask } = await types(world)
    await ask(words.query('create temp table t (a text)'))
    line.send(words.query('copy t from stdin'))
    expect((await line.next()).type).toBe('G')
    expect(await ask(words.copyData('one\n'), words.copyData('two\n'), words.copyDone())).toBe('CZ')
    expect(await ask(words.query('copy t to stdout'))).toBe('HddcCZ')
    expect(world.recorder().of('result').slice(1)).toMatchObject([
      { rows: 2, bytes: 18, tag: 'COPY 2' },
      { rows: 2, bytes: 18, tag: 'COPY 2' },
    ])
  })

  test('copy in fails as the client or the target says, and the session goes on', async () => {
    const world = await startGatewayForTest()
    const { line, ask } = await types(world)
    await ask(words.query('create temp table t (a int)'))
    line.send(words.query('copy t from stdin'))
    await line.next()
    expect(await ask(words.copyFail('no more'))).toBe('EZ')
    line.send(words.query('copy t from stdin'))
    await line.next()
    line.send(words.copyData('not a number\n'), words.copyData('1\n'))
    expect(await line.types()).toBe('EZ')
    expect(await ask(words.copyDone(), words.query('select 1'))).toBe('TDCZ')
  })

  test('copy in the extended protocol takes the Sync that came too early', async () => {
    const world = await startGatewayForTest()
    const { line, ask } = await types(world)
    await ask(words.query('create temp table t (a int)'))
    line.send(words.parse('', 'copy t from stdin'), words.bind('', ''), words.execute(''), words.sync())
    expect([(await line.next()).type, (await line.next()).type, (await line.next()).type].join('')).toBe('12G')
    expect(await ask(words.copyData('1\n'), words.copyDone(), words.sync())).toBe('CZ')
    expect(await ask(words.query('select a from t'))).toBe('TDCZ')
    expect(world.recorder().of('result').at(-2)).toMatchObject({ tag: 'COPY 1', rows: 1 })
  })

  test('copy data that did not wait to be asked for is taken', async () => {
    const world = await startGatewayForTest()
    const { ask } = await types(world)
    await ask(words.query('create temp table t (a int)'))
    expect(await ask(words.query('copy t from stdin'), words.copyData('1\n'), words.copyDone())).toBe('GCZ')
    expect(await ask(words.query('select a from t'))).toBe('TDCZ')
  })

  test('anything else in the middle of a copy ends the session, as the target would', async () => {
    const world = await startGatewayForTest()
    const { line, ask } = await types(world)
    await ask(words.query('create temp table t (a int)'))
    line.send(words.query('copy t from stdin'))
    expect((await line.next()).type).toBe('G')
    line.send(words.query('select 1'))
    expect(readError(await line.next())).toMatchObject({ severity: 'FATAL', sqlstate: '08P01' })
    expect(await world.sessions[0]!.closed).toContain('something else in the middle of a COPY')
  })

  test('a function call is answered and recorded', async () => {
    const world = await startGatewayForTest()
    const { ask } = await types(world)
    // pg_backend_pid() is 2026; no arguments, result as text.
    const call = say('F', 2026, Buffer.from([0, 0, 0, 0, 0, 0]))
    expect(await ask(call)).toBe('VZ')
    expect(world.recorder().texts()).toEqual(['function call 2026'])
  })

  test('the transaction’s state is the target’s own', async () => {
    const world = await startGatewayForTest()
    const { line } = await types(world)
    const statusAfter = async (sql: string): Promise<string> => {
      line.send(words.query(sql))
      return (await line.untilReady()).at(-1)!.buffer.toString('latin1', 5)
    }
    expect([
      await statusAfter('begin'),
      await statusAfter('select 1 / (random() * 0)::int'),
      await statusAfter('rollback'),
    ]).toEqual(['T', 'E', 'I'])
  })
})
