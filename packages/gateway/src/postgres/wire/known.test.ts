import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type CommandTag, commandTag } from '../session/command-tag.ts'
import { say } from '../testing/wire.ts'
import { readNamed, readParse, type Frame } from './client-messages.ts'
import { createKnown } from './known.ts'

const zero = Buffer.from([0])
/** What reads alike in one encoding and not in another, and what is cut off. */
const hostile = ['a', 'é', '\ufffd', '\ufeffa', 'ÿ', '€', '𝟙'].flatMap((text) => [
  Buffer.from(text),
  Buffer.from(text, 'latin1'),
  Buffer.from(text, 'utf16le').filter((byte) => byte !== 0),
])
const bytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(...hostile, Buffer.from('s1'), Buffer.from([0xff]), Buffer.from([0xed, 0xa0, 0x80])),
      fc.constantFrom(...[0xc3, 0xef, 0xe9, 0x80, 0x41, 0xbf, 0xbd].map((byte) => Buffer.from([byte]))),
      fc.uint8Array({ minLength: 1, maxLength: 3, min: 1 }).map((some) => Buffer.from(some)),
    ),
    { maxLength: 4 },
  )
  .map((parts) => Buffer.concat(parts))

/** Within a buffer, between neighbours that end the same. */
function within(message: Buffer): Frame {
  const buffer = Buffer.concat([message, message, message])
  return { buffer, start: message.length, end: 2 * message.length }
}

function tagOf(tag: Buffer): CommandTag | undefined {
  const frame = within(say('C', tag, zero))
  return commandTag({ ...frame, type: 0x43, length: frame.end - frame.start })
}

function textOf(some: Buffer): { text: string; encoding: string } {
  const text = some.toString('utf8')
  const isWhole = Buffer.from(text).equals(some)
  return { text, encoding: !isWhole ? 'invalid' : some.every((byte) => byte < 128) ? 'ascii' : 'utf8' }
}

test('names, texts and tags are read as their bytes say, whatever was read before', () => {
  const anyOrder = fc.array(fc.tuple(bytes, bytes, fc.boolean()), { maxLength: 60 })
  fc.assert(
    fc.property(anyOrder, (reads) => {
      for (const [name, text, twice] of [...reads, ...reads.toReversed()]) {
        for (let i = 0; i < (twice ? 2 : 1); i++) {
          const parse = readParse(within(say('P', Buffer.concat([name, zero, text, zero]), Buffer.from([0, 0]))))
          expect(parse).toEqual({ name: name.toString('utf8'), text: textOf(text) })
          const named = readNamed(within(say('C', Buffer.from('S'), name, zero)))
          expect(named).toEqual({ what: 'statement', name: name.toString('utf8') })
          expect(tagOf(text)?.text).toBe(text.toString('latin1'))
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('a tag that ends in a zero byte only is told apart from one with another within', () => {
  for (let i = 0; i < 2; i++) {
    expect(tagOf(Buffer.from('SELECT 5'))).toMatchObject({ text: 'SELECT 5', rows: 5, changesRows: false })
    expect(tagOf(Buffer.from('SELECT\x005'))).toMatchObject({ text: 'SELECT\x005', rows: undefined })
    expect(tagOf(Buffer.from('UPDATE 5'))).toMatchObject({ rows: 5, changesRows: true })
    expect(tagOf(Buffer.from(''))).toMatchObject({ text: '', rows: undefined })
  }
})

test('as many are remembered as were asked for, and the oldest goes first', () => {
  const known = createKnown((text: string) => text, 3)
  const texts = ['a', 'b', 'c', 'd']
  for (const text of texts) known.add(text)
  expect(texts.map((text) => known.find(Buffer.from(text), 0, 1))).toEqual([undefined, 'b', 'c', 'd'])
})
