/**
 * Time as plain numbers. Nothing in core reads a clock: an instant is always a parameter.
 */

/** Milliseconds since 1970-01-01T00:00:00Z, an integer. */
export type Instant = number & { readonly __brand: 'Instant' }

/** A length of time in whole milliseconds, never negative. */
export type Millis = number & { readonly __brand: 'Millis' }

const unitMillis = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

export const seconds = (n: number): Millis => (n * unitMillis.s) as Millis
export const minutes = (n: number): Millis => (n * unitMillis.m) as Millis
export const hours = (n: number): Millis => (n * unitMillis.h) as Millis
export const days = (n: number): Millis => (n * unitMillis.d) as Millis

export const instant = (ms: number): Instant => ms as Instant
export const after = (start: Instant, length: Millis): Instant => (start + length) as Instant
export const earlier = (a: Instant, b: Instant): Instant => (a < b ? a : b)

/** RFC 3339 in UTC with milliseconds, as everywhere in the API and the log. */
export const formatInstant = (at: Instant): string => new Date(at).toISOString()

const rfc3339 = /^(\d{4}-\d{2}-\d{2})T(?:[01]\d|2[0-3]):\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/

/** Reads an RFC 3339 instant with an explicit offset; `undefined` for anything else, an impossible date included. */
export function parseInstant(text: string): Instant | undefined {
  const date = rfc3339.exec(text)?.[1]
  // A date that does not exist would be read as one in the next month, and an offset can lead out of what can be written.
  if (date === undefined || !isDate(date)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) || !rfc3339.test(formatInstant(instant(ms))) ? undefined : instant(ms)
}

function isDate(date: string): boolean {
  const ms = Date.parse(`${date}T00:00:00Z`)
  return !Number.isNaN(ms) && formatInstant(instant(ms)).startsWith(date)
}

const isoDuration = /^P(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/
const shortDuration = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/

/**
 * Reads a duration: ISO 8601 without years and months (`PT1H30M`, `P1D`), or `90s`, `30m`, `2h`, `1h30m`, `7d`.
 * Zero, negative, fractional and unit-less values give `undefined`, as does anything above 10,000 days:
 * such a text is a slip, and a guess at what was meant would be a guess about access.
 */
export function parseDuration(text: string): Millis | undefined {
  const match = isoDuration.exec(text) ?? shortDuration.exec(text)
  if (!match) return undefined
  const [d = 0, h = 0, m = 0, s = 0] = match.slice(1).map((part) => Number(part ?? 0))
  const ms = d * unitMillis.d + h * unitMillis.h + m * unitMillis.m + s * unitMillis.s
  return ms > 0 && ms <= 10_000 * unitMillis.d ? (ms as Millis) : undefined
}

/** The shortest of the forms `parseDuration` reads: `1h30m`, `90s` becomes `1m30s`. Fractions of a second are rounded up. */
export function formatDuration(length: Millis): string {
  let rest = Math.ceil(length / 1_000)
  const parts: string[] = []
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(rest / size)
    if (count > 0) parts.push(`${count}${unit}`)
    rest -= count * size
  }
  return parts.join('') || '0s'
}
