import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonText, plain, shorten, visible, withoutTokens } from './terminal-text.ts'

const anyText = fc.string({ unit: 'binary' })
// oxlint-disable-next-line no-control-regex -- what must not be there
const terminalActsOn = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/

describe('plain text', () => {
  it('is one line that a terminal does not act on, whatever it was made from', () => {
    fc.assert(fc.property(anyText, (text) => !terminalActsOn.test(plain(text))))
  })

  it.each([
    ['an escape sequence', 'ok\u001b[2J\u001b[1;1Hgranted', 'ok[2J[1;1Hgranted'],
    ['a C1 control sequence introducer', 'ok\u009b31m', 'ok31m'],
    ['a line break, which would fake a line of ours', 'fix\nGranted: admin', 'fix Granted: admin'],
    ['a right-to-left override', 'read\u202eetirw', 'readetirw'],
    ['what people write', 'Größe “7”, 日本語, 👩‍💻', 'Größe “7”, 日本語, 👩‍💻'],
  ])('treats %s', (_what, text, expected) => {
    expect(plain(text)).toBe(expected)
  })
})

describe('JSON text', () => {
  it('says the same value, and nothing that a terminal acts on but its line breaks', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const json = jsonText({ text }, 2)
        expect(JSON.parse(json)).toEqual({ text })
        expect(json.replaceAll('\n', '')).not.toMatch(terminalActsOn)
      }),
    )
  })
})

it('cuts by characters, with an ellipsis', () => {
  expect(shorten('👩👩👩', 2)).toBe('👩…')
  expect(shorten('short', 5)).toBe('short')
})

it('leaves tokens out of messages', () => {
  expect(withoutTokens(`unknown command 'tdg_${'x'.repeat(43)}'`)).toBe("unknown command 'tdg_…'")
})

describe('visible text', () => {
  const shown = (text: string): string =>
    visible(text)
      .map((stretch) => stretch.text)
      .join('')

  it('has every character, as itself or by its number, and passes a terminal unchanged', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const stretches = visible(text)
        expect(plain(shown(text))).toBe(shown(text))
        const back = stretches.map((one) =>
          one.isNamed
            ? one.text.replaceAll(/<U\+([0-9A-F]+)>/g, (_, hex: string) =>
                String.fromCodePoint(Number.parseInt(hex, 16)),
              )
            : one.text,
        )
        expect(back.join('')).toBe(text)
      }),
    )
  })

  it.each([
    ['a blank that is none', 'a\u00a0b', 'a<U+00A0>b'],
    ['letters that do not show', 'a\u3164\u{e0061}b', 'a<U+3164><U+E0061>b'],
    ['what people write', "select 'Größe', '日本語'", "select 'Größe', '日本語'"],
  ])('treats %s', (_what, text, expected) => expect(shown(text)).toBe(expected))
})
