import { describe, expect, test } from 'vitest'

import { formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts'
import { emptyRoot } from './merkle.ts'
import { parseVerifierKey, signNote } from './note.ts'
import type { VerifierKey } from './note.ts'
import { sampleKey } from './testing/sample-log.ts'

const root = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I='
const example = `example.com/behind-the-sofa\n20852163\n${root}\n`

describe('a checkpoint', () => {
  test('of the specification is read and written back', () => {
    const parsed = parseCheckpoint(example)
    expect(parsed).toMatchObject({ origin: 'example.com/behind-the-sofa', size: 20_852_163, extensions: [] })
    expect(parsed && formatCheckpoint(parsed)).toBe(example)
  })

  test('keeps its extension lines', () => {
    const parsed = parseCheckpoint(`${example}one\ntwo\n`)
    expect(parsed?.extensions).toEqual(['one', 'two'])
    expect(parsed && formatCheckpoint(parsed)).toBe(`${example}one\ntwo\n`)
  })

  test.each([
    ['', 'nothing'],
    [example.slice(0, -1), 'no last newline'],
    [`${example}\n`, 'an empty extension line'],
    [`\n1\n${root}\n`, 'no origin'],
    [`log\n01\n${root}\n`, 'a leading zero'],
    [`log\n-1\n${root}\n`, 'a negative size'],
    [`log\n1e3\n${root}\n`, 'an exponent'],
    [`log\n\n${root}\n`, 'no size'],
    [`log\n9007199254740992\n${root}\n`, 'a size beyond 2^53 - 1'],
    [`log\n1\n${root.slice(0, -1)}\n`, 'a root without padding'],
    [`log\n1\nAAAA\n`, 'a short root'],
    [`log\n1\n`, 'no root'],
  ])('is not %j: %s', (text) => {
    expect(parseCheckpoint(text)).toBeUndefined()
  })

  test('cannot be written with lines that would be read as others', () => {
    const good = { origin: 'log', size: 0, root: emptyRoot, extensions: [] }
    for (const bad of [{ origin: '' }, { origin: 'a\n1' }, { size: -1 }, { root: emptyRoot.subarray(1) }]) {
      expect(() => formatCheckpoint({ ...good, ...bad })).toThrow(RangeError)
    }
    for (const extensions of [[''], ['a\nb'], ['a', '']]) {
      expect(() => formatCheckpoint({ ...good, extensions })).toThrow(RangeError)
    }
  })

  test('opens under the key of its log', () => {
    const signer = sampleKey()
    const note = signCheckpoint({ size: 0, root: emptyRoot }, signer)
    expect(openCheckpoint(note, parseVerifierKey(signer.vkey) as VerifierKey)).toEqual({
      ok: true,
      checkpoint: { origin: signer.name, size: 0, root: emptyRoot, extensions: [] },
    })
  })

  test('is refused under the origin of another log, and where the key signed something else', () => {
    const signer = sampleKey()
    const key = parseVerifierKey(signer.vkey) as VerifierKey
    expect(openCheckpoint(signNote(example, signer), key)).toMatchObject({ ok: false, reason: 'wrong-origin' })
    expect(openCheckpoint(signNote('hello\n', signer), key)).toMatchObject({ reason: 'malformed-checkpoint' })
  })
})
