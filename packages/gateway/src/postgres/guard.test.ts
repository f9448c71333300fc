/** Statements that a guard refuses, or that an approver must see: nothing of them reaches the target, and the session goes on. */

import { Client } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import type { Guard } from '../guard/ruling.ts'
import { startGatewayForTest, type TestGateway, type Wishes } from './testing/gateway.ts'
import { createTestClock } from './testing/clock.ts'
import { dial, type Line, wordOf, words } from './testing/wire.ts'
import { readError } from './wire/server-messages.ts'

/** Refuses what has `forbidden` in it and asks for what has `careful`. What it judged is kept. */
function testGuard(): Guard & { readonly judged: string[] } {
  const judged: string[] = []
  return {
    judged,
    judge(text) {
      judged.push(text)
      if (text.includes('forbidden')) return { ruling: 'refuse', rule: 'no-forbidden', message: 'that is forbidden' }
      const careful = { ruling: 'ask', rule: 'careful', message: 'a careful one', uses: [] } as const
      return text.includes('careful') ? careful : { ruling: 'allow', uses: [] }
    },
  }
}

async function guarded(wishes: Wishes = {}): Promise<TestGateway & { readonly judged: readonly string[] }> {
  const guard = testGuard()
  const world = await startGatewayForTest({ ...wishes, admission: { guard, ...wishes.admission } })
  return { ...world, judged: guard.judged }
}

const errorOf = async (line: Line): Promise<ReturnType<typeof readError>> =>
  readError((await line.untilReady()).find(({ type }) => type === 'E')!)

const step = (sql: string): Buffer[] => [words.parse('', sql), words.bind('', ''), words.execute('')]

describe('a refused statement', () => {
  test('gets 42501 with the rule in the hint, in both protocols, and the session goes on', async () => {
    const world = await guarded()
    const client = new Client(world.connection)
    await client.connect()
    onTestFinished(() => client.end())
    for (const parameters of [undefined, ['x']]) {
      await expect(
        client.query('select $1::text as forbidden'.replace('$1', parameters ? '$1' : 'null'), parameters),
      ).rejects.toMatchObject({ severity: 'ERROR', code: '42501', message: 'that is forbidden' })
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    }
    await expect(client.query('forbidden')).rejects.toMatchObject({ hint: expect.stringContaining('"no-forbidden"') })
    expect(world.recorder().of('refused')).toMatchObject([{ statement: 1 }, { statement: 3 }, { statement: 5 }])
    expect(world.recorder().of('result')[0]).toMatchObject({ statement: 1, error: { sqlstate: '42501' } })
  })

  test('does nothing at the target, nor does anything that is skipped with it', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    line.send(words.query('create table t (a int)'))
    await line.types()
    line.send(words.query("insert into t values (1); select 'forbidden'"))
    expect(await line.types()).toBe('EZ')
    line.send(...step("select 'forbidden'"), ...step('insert into t values (2)'), words.sync())
    expect(await line.types()).toBe('EZ')
    const rows = await withClient(world.database.connection, (client) => client.query('select * from t'))
    expect(rows.rows).toEqual([])
    expect(world.judged).not.toContain('insert into t values (2)')
  })

  test('fails the transaction that it is in', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    const statuses: string[] = []
    for (const sql of ['begin', 'forbidden', 'select 1', 'rollback']) {
      line.send(words.query(sql))
      const frames = await line.untilReady()
      statuses.push(wordOf(frames) + frames.at(-1)!.buffer.toString('latin1', 5))
    }
    expect(statuses).toEqual(['CZT', 'EZE', 'EZE', 'CZI'])
    line.send(words.query('begin'), ...step('forbidden'), words.sync(), words.query('commit'))
    await line.types()
    expect([await line.types(), await line.types()]).toEqual(['EZ', 'CZ'])
  })

  test('undoes what came before it in its batch, as an error does, and answers that in order', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    line.send(words.query('create table t (a int)'))
    await line.types()
    line.send(...step('insert into t values (1)'), ...step('forbidden'), ...step('select 2'), words.sync())
    line.send(...step('select 3'), words.sync())
    expect([await line.types(), await line.types()]).toEqual(['12CEZ', '12DCZ'])
    line.send(words.query('select * from t'))
    expect(await line.types()).toBe('TCZ')
  })

  test('is not mentioned when something before it failed', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    line.send(...step('select wrong'), ...step('forbidden'), words.sync())
    expect((await errorOf(line))?.sqlstate).toBe('42703')
  })

  test('leaves the unnamed statement and its own name as they were', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    line.send(words.parse('', 'select 7'), words.sync(), words.parse('a', 'forbidden'), words.sync())
    expect([await line.types(), await line.types()]).toEqual(['1Z', 'EZ'])
    line.send(words.bind('', ''), words.execute(''), words.parse('a', 'select 8'), words.sync())
    expect(await line.types()).toBe('2DC1Z')
  })

  test('is refused again and again without the pipeline losing its order', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    const sql = ['select 1', 'forbidden', 'select 2', 'forbidden', 'forbidden', 'select 3']
    line.send(...sql.map(words.query))
    const answers: string[] = []
    for (const _ of sql) answers.push(await line.types())
    expect(answers).toEqual(['TDCZ', 'EZ', 'TDCZ', 'EZ', 'EZ', 'TDCZ'])
  })

  test('a function call by number is refused while a guard is on', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    const { say } = await import('./testing/wire.ts')
    line.send(say('F', 2026, Buffer.from([0, 0, 0, 0, 0, 0])))
    expect((await errorOf(line))?.sqlstate).toBe('42501')
  })
})

describe('a text that the target might read in another way', () => {
  const sjis = Buffer.from([0x27, 0xe3, 0x81, 0x82, 0x5c, 0x27])

  test('waits until it is certain how the target reads, in the simple protocol', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    line.send(words.query('select 1'), words.query("select 'é'"))
    expect([await line.types(), await line.types()]).toEqual(['TDCZ', 'TDCZ'])
    expect(world.judged).toEqual(['select 1', "select 'é'"])
  })

  test('is refused within a batch that may have changed it', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    line.send(...step("select set_config('client_encoding', 'SJIS', false)"))
    line.send(words.parse('', `select ${sjis.toString()}`), words.sync())
    expect((await errorOf(line))?.sqlstate).toBe('42501')
  })

  test('is let through after a BEGIN in the same batch', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    line.send(...step('begin isolation level serializable'), ...step("select 'é'"), words.sync())
    expect(await line.types()).toBe('12C12DCZ')
  })

  test.each(["set client_encoding to 'SJIS'", "select set_config('standard_conforming_strings', 'off', false)"])(
    'does not come: after %s the session is over',
    async (sql) => {
      const world = await guarded()
      const line = await dial(world.connection)
      line.send(words.query(sql), words.query("select 'é'"))
      expect(await world.sessions[0]!.closed).toContain('must stay')
      expect(world.judged).not.toContain("select 'é'")
    },
  )

  test('is refused when it is not UTF-8', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    const { say } = await import('./testing/wire.ts')
    line.send(say('Q', Buffer.from([0x27, 0xff, 0x27, 0])))
    expect((await errorOf(line))?.sqlstate).toBe('42501')
  })
})

describe('a statement that needs an approver', () => {
  test('runs when there is a yes, is refused when there is a no, and what follows waits', async () => {
    const answers = ['yes', 'no'] as const
    let asked = 0
    const world = await guarded({ admission: { approve: async () => answers[asked++]! } })
    const line = await dial(world.connection)
    line.send(words.query("select 'careful'"), words.query("select 'careful'"), words.query('select 1'))
    const got = [await line.types(), await line.types(), await line.types()]
    expect(got.map((types) => types.replaceAll('N', ''))).toEqual(['TDCZ', 'EZ', 'TDCZ'])
    expect(world.recorder().of('refused')).toMatchObject([{ statement: 2, rule: 'careful' }])
  })

  test('is asked about with its parameters, each time', async () => {
    const seen: unknown[] = []
    const world = await guarded({
      admission: {
        async approve({ text, parameters }) {
          seen.push([text, parameters])
          return parameters?.[0] === 'b' ? 'no' : 'yes'
        },
      },
    })
    const line = await dial(world.connection)
    const text = "select $1::text, 'careful'"
    line.send(words.parse('a', text), words.bind('', 'a', 'x'), words.execute(''), words.sync())
    line.send(words.bind('', 'a', 'b'), words.execute(''), words.sync())
    const got = [await line.types(), await line.types()]
    expect(got.map((types) => types.replaceAll('N', ''))).toEqual(['12DCZ', 'EZ'])
    expect(seen).toEqual([
      [text, ['x']],
      [text, ['b']],
    ])
  })

  test('is refused where nobody can be asked', async () => {
    const world = await guarded()
    const line = await dial(world.connection)
    line.send(words.query('careful'))
    expect((await errorOf(line))?.sqlstate).toBe('42501')
  })

  test('is refused when the asking fails', async () => {
    const world = await guarded({ admission: { approve: () => Promise.reject(new Error('nobody there')) } })
    const line = await dial(world.connection)
    line.send(words.query('careful'))
    expect((await errorOf(line))?.sqlstate).toBe('42501')
  })

  test('tells the client that it waits, and again after a while', async () => {
    const clock = createTestClock()
    let answer: (word: 'yes') => void = () => undefined
    const approve = (): Promise<'yes'> => new Promise((resolve) => (answer = resolve))
    const world = await guarded({ admission: { approve }, ports: { clock } })
    const line = await dial(world.connection)
    line.send(words.query("select 'careful'"))
    expect(readError(await line.next())?.message).toBe('waiting for approval of this statement: a careful one')
    clock.advance(15_000)
    expect((await line.next()).type).toBe('N')
    answer('yes')
    expect(await line.types()).toBe('TDCZ')
  })

  test('is given up when the session ends', async () => {
    let given: AbortSignal | undefined
    const approve = (_: unknown, signal: AbortSignal): Promise<never> => {
      given = signal
      return new Promise(() => undefined)
    }
    const world = await guarded({ admission: { approve } })
    const line = await dial(world.connection)
    line.send(words.query('careful'))
    await line.next()
    await world.gateway.endGrant(world.sessions[0]!.grant, 'access was revoked')
    expect(given?.aborted).toBe(true)
  })
})

describe('a cap', () => {
  const capsOf = (most: number) => {
    let rows = 0
    const over = () =>
      rows > most ? { rule: 'max-rows', message: 'too many rows', remedy: 'Ask for less.' } : undefined
    const add = (count: number) => {
      rows += count
      return over()
    }
    return { row: () => add(1), changed: add, reset: () => void (rows = 0) }
  }

  test('is for one statement, and a statement beyond it ends the session', async () => {
    const world = await startGatewayForTest({ admission: { caps: capsOf(3) } })
    const line = await dial(world.connection)
    line.send(words.query('select generate_series(1, 3)'), words.query('select generate_series(1, 3)'))
    expect([await line.types(), await line.types()]).toEqual(['TDDDCZ', 'TDDDCZ'])
    line.send(words.query('select generate_series(1, 4)'))
    const frames = [await line.next(), await line.next(), await line.next(), await line.next(), await line.next()]
    expect(wordOf(frames)).toBe('TDDDE')
    expect(readError(frames[4]!)).toMatchObject({ severity: 'FATAL', sqlstate: '54000' })
    expect(await world.sessions[0]!.closed).toContain('too many rows')
  })

  test('ends a session before a row that is too much, however long that row is', async () => {
    const caps = { row: (size: number) => (size > 1000 ? { rule: 'max-bytes', message: 'too much' } : undefined) }
    const rest = { changed: () => undefined, reset: () => undefined }
    const world = await startGatewayForTest({ admission: { caps: { ...caps, ...rest } } })
    const line = await dial(world.connection)
    line.send(words.query("select 'short' union all select repeat('x', 10000000)"))
    const types = [await line.next(), await line.next(), await line.next()]
    expect(wordOf(types)).toBe('TDE')
    expect(readError(types[2]!)?.message).toContain('too much')
  })

  test('counts rows that are changed', async () => {
    const world = await startGatewayForTest({ admission: { caps: capsOf(3) } })
    const line = await dial(world.connection)
    line.send(words.query('begin; create table t as select 1 as a; insert into t select generate_series(1, 4)'))
    expect(await world.sessions[0]!.closed).toContain('too many rows')
  })
})

test('settings that the target is to begin with are over what the client says', async () => {
  const parameters = { default_transaction_read_only: 'on', application_name: 'ours' }
  const world = await startGatewayForTest({ target: { parameters } })
  const line = await dial(world.connection, { application_name: 'theirs' })
  line.send(words.query("select current_setting('application_name')"), words.query('create table t (a int)'))
  expect((await line.untilReady()).find(({ type }) => type === 'D')!.buffer.toString()).toContain('ours')
  expect((await errorOf(line))?.sqlstate).toBe('25006')
})
