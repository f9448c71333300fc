import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clusterOf } from '../../../../../tests/support/databases.ts'
import { clientMessages, serverMessages } from '../limits.ts'
import { dial, readAll, say, words } from '../testing/wire.ts'
import { type Budget, createBudget, createFramer, rulesOf } from './framer.ts'

const clientRules = rulesOf(clientMessages)
const serverRules = rulesOf(serverMessages)
const plenty = (): Budget => createBudget(1 << 30)

type Seen = { readonly type: string; readonly bytes: string }

/**
 * The messages that a framer finds in the chunks, each put together of its pieces; and why it stopped, if it did. What
 * it does not borrow is written over.
 */
function framed(rules: typeof clientRules, chunks: readonly Buffer[], budget = plenty()) {
  const framer = createFramer(rules, budget)
  const seen: Seen[] = []
  let parts: Buffer[] = []
  for (const chunk of chunks) {
    const memory = Buffer.from(chunk)
    framer.push(memory)
    for (let piece = framer.next(); piece !== 'none'; piece = framer.next()) {
      if (piece === 'violation') return { seen, violation: framer.violation }
      if (piece === 'part' && framer.opens) parts = []
      const bytes = Buffer.from(framer.buffer.subarray(framer.start, framer.end))
      parts = piece === 'part' ? [...parts, bytes] : [bytes]
      if (piece === 'part' && framer.isInside()) continue
      const whole = Buffer.concat(parts)
      if (whole.length !== framer.length) throw new Error(`a message of ${framer.length} bytes came as ${whole.length}`)
      seen.push({ type: String.fromCharCode(framer.type), bytes: whole.toString('hex') })
    }
    if (!framer.borrows()) memory.fill(0xff)
  }
  return { seen, violation: undefined }
}

const inHalves = (bytes: Buffer, at: number): readonly Buffer[] => [bytes.subarray(0, at), bytes.subarray(at)]

const asked = Buffer.concat([
  words.query(
    "create temp table t (a int, b text); insert into t select i, repeat('x', i) from generate_series(1, 12) i",
  ),
  words.parse('s', 'select a, b from t where a > $1::int'),
  words.describe('S', 's'),
  words.bind('p', 's', '3'),
  words.execute('p', 5),
  words.execute('p'),
  words.close('P', 'p'),
  words.sync(),
  words.parse('', 'select wrong'),
  words.bind('', ''),
  words.sync(),
  words.query('listen x; notify x, $$to me$$'),
  words.query('copy t to stdout'),
  words.query(''),
])

describe('a real conversation', () => {
  /** What PostgreSQL answers to all of it. */
  async function conversation(): Promise<Buffer> {
    const { socket } = await dial(clusterOf('target'))
    socket.write(Buffer.concat([asked, words.terminate()]))
    return readAll(socket)
  }

  test('is framed whole, with every kind of message that was asked for', async () => {
    const { seen, violation } = framed(serverRules, [await conversation()])
    expect(violation).toBeUndefined()
    const types = seen.map(({ type }) => type).join('')
    expect(types).toMatch(/^CCZ1tT2D{5}sD{4}C3ZEZC(?:CA|AC)ZHd{12}cCZIZ$/)
  })

  test('is framed the same, wherever one chunk ends and the next begins', async () => {
    const answered = await conversation()
    const differs = (rules: typeof clientRules, bytes: Buffer): number[] => {
      const whole = JSON.stringify(framed(rules, [bytes]))
      const places = Array.from({ length: bytes.length + 1 }, (_, at) => at)
      return places.filter((at) => JSON.stringify(framed(rules, inHalves(bytes, at))) !== whole)
    }
    expect(differs(serverRules, answered)).toEqual([])
    expect(differs(clientRules, asked)).toEqual([])
  })

  test('is framed the same byte by byte', async () => {
    const answered = await conversation()
    const bytes = [...answered].map((byte) => Buffer.from([byte]))
    expect(framed(serverRules, bytes)).toEqual(framed(serverRules, [answered]))
  })
})

test('a message within one chunk is not copied', () => {
  const framer = createFramer(clientRules, plenty())
  const chunk = Buffer.concat([words.sync(), words.query('select 1')])
  framer.push(chunk)
  expect(framer.next()).toBe('message')
  expect(framer.next()).toBe('message')
  expect(framer.buffer).toBe(chunk)
  expect([framer.start, framer.end]).toEqual([5, chunk.length])
})

test('a row of any size passes without being kept', () => {
  const framer = createFramer(serverRules, createBudget(0))
  const head = Buffer.from([0x44, 0x40, 0, 0, 0])
  framer.push(head)
  expect(framer.next()).toBe('part')
  let left = 0x4000_0000 - 4
  const chunk = Buffer.alloc(1 << 20)
  while (left > 0) {
    const some = chunk.subarray(0, Math.min(left, chunk.length))
    framer.push(some)
    expect(framer.next()).toBe('part')
    expect(framer.buffer).toBe(some)
    left -= some.length
  }
  expect(framer.isInside()).toBe(false)
  expect(framer.next()).toBe('none')
})

test('a framer that has nothing unfinished holds no bytes', () => {
  const framer = createFramer(clientRules, plenty())
  framer.push(words.query('select 1'))
  while (framer.next() !== 'none');
  expect(framer.buffer).toHaveLength(0)
})

test.each([
  ['an unknown type', Buffer.from('?\0\0\0\x04'), "an unknown message of type '?'"],
  ['a type that only targets have', say('T', 1), "an unknown message of type 'T'"],
  ['a length below that of its own field', Buffer.from('Q\0\0\0\x03'), 'a Query of 3 bytes'],
  ['a negative length', Buffer.from('Q\xff\xff\xff\xff', 'latin1'), 'a Query of -1 bytes'],
  ['more than its kind may have', Buffer.from('Q\x7f\xff\xff\xff', 'latin1'), 'a Query of 2147483647 bytes'],
  ['a Sync with a body', say('S', 'x'), 'a Sync of 6 bytes'],
])('%s is a violation', (_, bytes, violation) => {
  expect(framed(clientRules, [bytes])).toEqual({ seen: [], violation })
})

test('what was pushed is borrowed only while it is still to be pulled', () => {
  const framer = createFramer(clientRules, plenty())
  framer.push(Buffer.concat([words.sync(), words.sync(), words.sync().subarray(0, 3)]))
  expect(framer.next()).toBe('message')
  expect(framer.borrows()).toBe(true)
  expect([framer.next(), framer.borrows()]).toEqual(['message', true])
  // A header that has begun is kept, and elsewhere.
  expect([framer.next(), framer.borrows(), framer.aheadBytes()]).toEqual(['none', false, 3])
  framer.push(Buffer.concat([words.sync().subarray(3), words.sync()]))
  expect([framer.borrows(), framer.next(), framer.borrows()]).toEqual([false, 'message', false])
  expect([framer.next(), framer.next(), framer.borrows()]).toEqual(['message', 'none', false])
})

test('what a length announces is not reserved before it comes', () => {
  const budget = createBudget(8192)
  const framer = createFramer(clientRules, budget)
  framer.push(Buffer.from([0x51, 0, 0xff, 0, 0, 1, 2, 3]))
  expect(framer.next()).toBe('none')
  expect(budget.take(4096)).toBe(true)
  framer.push(Buffer.alloc(5000))
  expect(framer.next()).toBe('violation')
  expect(framer.violation).toBe('too many unfinished messages are under way')
  framer.close()
  expect(budget.take(4096)).toBe(true)
})

test('any bytes in any pieces are framed the same or refused the same, and never throw', () => {
  const anyMessage = fc
    .tuple(fc.constantFrom(...Object.keys(clientMessages), 'Z'), fc.uint8Array({ maxLength: 40 }))
    .map(([type, body]) => say(type, Buffer.from(body)))
  const anyBytes = fc.oneof(
    { weight: 4, arbitrary: anyMessage },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)) },
  )
  fc.assert(
    fc.property(fc.array(anyBytes, { maxLength: 12 }), fc.array(fc.nat(600), { maxLength: 12 }), (pieces, cuts) => {
      const bytes = Buffer.concat(pieces)
      const places = [...new Set([0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length])]
      const sorted = places.toSorted((a, b) => a - b)
      const chunks = sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end))
      expect(framed(clientRules, chunks)).toEqual(framed(clientRules, [bytes]))
    }),
    { numRuns: 500 },
  )
})
