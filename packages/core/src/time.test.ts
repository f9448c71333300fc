import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Millis } from './time.ts'
import { after, earlier, formatDuration, formatInstant, instant, minutes, parseDuration, parseInstant } from './time.ts'

const longestMs = 10_000 * 86_400_000

test('a duration that was written is read back, rounded up to whole seconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: longestMs }), (ms) => {
      expect(parseDuration(formatDuration(ms as Millis))).toBe(Math.ceil(ms / 1_000) * 1_000)
    }),
  )
})

test('a duration in ISO 8601 is the same as its short form', () => {
  const part = fc.option(fc.nat(500))
  fc.assert(
    fc.property(part, part, part, part, (d, h, m, s) => {
      const written = (units: string, parts: readonly (number | null)[]) =>
        parts.map((count, i) => (count === null ? '' : `${count}${units[i]}`)).join('')
      const time = written('HMS', [h, m, s])
      const iso = `P${written('D', [d])}${time && `T${time}`}`
      expect(parseDuration(iso)).toBe(parseDuration(written('dhms', [d, h, m, s])))
    }),
  )
})

test.each([
  ['nothing', ''],
  ['zero', '0s'],
  ['zero in every unit', '0d0h0m0s'],
  ['zero in ISO 8601', 'PT0S'],
  ['a period without a part', 'P'],
  ['a time without a part', 'PT'],
  ['a time without a part after days', 'P1DT'],
  ['a negative one', '-5m'],
  ['a negative one in ISO 8601', '-PT5M'],
  ['no unit', '30'],
  ['a fraction', '1.5h'],
  ['a fraction in ISO 8601', 'PT0.5S'],
  ['weeks', '1w'],
  ['months', 'P1M'],
  ['years', 'P1Y'],
  ['the wrong order', '30m1h'],
  ['the same unit twice', '1h1h'],
  ['upper case', '1H'],
  ['lower case in ISO 8601', 'pt1h'],
  ['spaces', '1h 30m'],
  ['a line break at the end', '1h\n'],
  ['digits of another script', '١h'],
  ['more than 10,000 days', '10001d'],
  ['more than 10,000 days by a second', '10000d1s'],
  ['more than a number holds', `${'9'.repeat(400)}s`],
])('as a duration, %s is refused', (_what, text) => {
  expect(parseDuration(text)).toBeUndefined()
})

test('the longest duration is 10,000 days', () => {
  expect(parseDuration('10000d')).toBe(longestMs)
})

const inYears0To9999 = fc
  .integer({ min: Date.parse('0000-01-01T00:00:00Z'), max: Date.parse('9999-12-31T23:59:59.999Z') })
  .map(instant)

test('an instant that was written is read back', () => {
  fc.assert(
    fc.property(inYears0To9999, (at) => {
      expect(parseInstant(formatInstant(at))).toBe(at)
    }),
  )
})

test('an instant is the same with every offset', () => {
  const offset = fc.record({ sign: fc.constantFrom(1, -1), h: fc.nat(23), m: fc.nat(59) })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e12 }), offset, (ms, { sign, h, m }) => {
      const two = (n: number) => String(n).padStart(2, '0')
      const local = formatInstant(instant(ms + sign * (h * 60 + m) * 60_000)).slice(0, -1)
      expect(parseInstant(`${local}${sign > 0 ? '+' : '-'}${two(h)}:${two(m)}`)).toBe(ms)
    }),
  )
})

test('a day that its month does not have is refused, and every other is that day', () => {
  const part = { year: fc.integer({ min: 0, max: 9_999 }), month: fc.integer({ min: 1, max: 12 }) }
  fc.assert(
    fc.property(fc.record({ ...part, day: fc.integer({ min: 1, max: 31 }) }), ({ year, month, day }) => {
      const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
      const last = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!
      const text = `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}T09:30:00.000Z`
      const read = parseInstant(text)
      expect(read && formatInstant(read)).toBe(day <= last ? text : undefined)
    }),
  )
})

test.each([
  ['30 February', '2026-02-30T00:00:00Z'],
  ['29 February of a common year', '2026-02-29T00:00:00Z'],
  ['31 April', '2026-04-31T00:00:00Z'],
  ['month 13', '2026-13-01T00:00:00Z'],
  ['month 0', '2026-00-10T00:00:00Z'],
  ['day 0', '2026-01-00T00:00:00Z'],
  ['hour 24', '2026-01-01T24:00:00Z'],
  ['minute 60', '2026-01-01T23:60:00Z'],
  ['a leap second', '2026-06-30T23:59:60Z'],
  ['an impossible offset', '2026-01-01T00:00:00+24:00'],
  ['no offset', '2026-01-01T00:00:00'],
  ['an offset without a colon', '2026-01-01T00:00:00+0100'],
  ['a date alone', '2026-01-01'],
  ['lower case', '2026-01-01t00:00:00z'],
  ['a space for the T', '2026-01-01 00:00:00Z'],
  ['a comma in the fraction', '2026-01-01T00:00:00,5Z'],
  ['a year of five digits', '+12026-01-01T00:00:00Z'],
  ['words', 'tomorrow'],
  ['a number', '1767225600000'],
  ['something after it', '2026-01-01T00:00:00Z\n'],
])('as an instant, %s is refused', (_what, text) => {
  expect(parseInstant(text)).toBeUndefined()
})

test('the earlier of two instants is the same whichever comes first', () => {
  const one = instant(1_000)
  const other = after(one, minutes(1))
  expect([earlier(one, other), earlier(other, one)]).toEqual([one, one])
})
