/** Whatever a client sends, in whatever pieces: what comes through the gateway is what PostgreSQL says itself. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { startGatewayForTest } from './testing/gateway.ts'
import { dial, type Line, words } from './testing/wire.ts'

const texts = [
  'select 1',
  'select generate_series(1, 3)',
  'select 1 / (random() * 0)::int',
  'selec',
  '',
  'begin',
  'commit',
  'rollback',
  'create temp table if not exists t (a int)',
  'insert into t values (1) returning a',
  'declare c cursor for select generate_series(1, 9)',
  'select 1; select 2; select wrong',
  'deallocate all',
  "prepare b as select 'b'",
  "copy (select 'out') to stdout",
]

const text = fc.constantFrom(...texts)
const statement = fc.constantFrom('', 'a', 'b')
const portal = fc.constantFrom('', 'p', 'c')

const message = fc.oneof(
  text.map((sql) => words.query(sql)),
  fc.tuple(statement, text).map(([name, sql]) => words.parse(name, sql)),
  fc.tuple(portal, statement).map(([to, name]) => words.bind(to, name)),
  portal.map((name) => words.describe('P', name)),
  statement.map((name) => words.describe('S', name)),
  fc.tuple(portal, fc.nat(2)).map(([name, rows]) => words.execute(name, rows)),
  statement.map((name) => words.close('S', name)),
  portal.map((name) => words.close('P', name)),
  fc.constant(words.sync()),
  fc.constant(words.flush()),
  fc.constant(words.copyDone()),
)

const mark = '424242'

/** Everything that is answered, up to the answer to a mark that is set behind. */
async function answersOf(line: Line, messages: readonly Buffer[], cuts: readonly number[]): Promise<string[]> {
  // Whatever the messages left open is rolled back, so that the mark is answered.
  const ending = [words.sync(), words.query('rollback'), words.query(`select ${mark}`)]
  const bytes = Buffer.concat([...messages, ...ending])
  const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].toSorted((a, b) => a - b)
  for (const [i, place] of places.slice(1).entries()) line.socket.write(bytes.subarray(places[i], place))
  const answers: string[] = []
  while (!answers.at(-1)?.includes(mark)) {
    const { type, buffer } = await line.next()
    answers.push(type + buffer.toString('latin1', 5))
  }
  return answers
}

test('pipelines of both protocols are answered as by the target itself, and recorded as far as they ran', async () => {
  const world = await startGatewayForTest()
  const pieces = fc.array(fc.nat(400), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 14 }), pieces, async (messages, cuts) => {
      const [direct, through] = [await dial(world.database.connection), await dial(world.connection)]
      const recorder = world.recorder()
      const expected = await answersOf(direct, messages, [])
      expect(await answersOf(through, messages, cuts)).toEqual(expected)
      const statements = recorder.of('statement').map((event) => event.statement)
      expect(statements).toEqual(statements.map((_, i) => i + 1))
      const errors = expected.filter((answer) => answer.startsWith('E')).length
      const told = recorder.of('result').filter(({ error }) => error && error.message !== 'skipped after an error')
      // An error of a Describe or a Close is nobody's statement's.
      expect(told.length).toBeLessThanOrEqual(errors)
      direct.socket.destroy()
      through.socket.destroy()
    }),
    { numRuns: 60 },
  )
})
