/**
 * What values look like. One row each: a shape, bounded so that no text makes it slow, and where there is one the check
 * that tells a value from other text of that shape.
 */

type Detector = {
  /** Cheap, and true wherever the shape is. */
  readonly mayBeIn: (text: string) => boolean
  readonly shape: RegExp
  readonly isOne?: (found: string) => boolean
  /** What `partial` leaves of one. */
  readonly partial: (found: string) => string
}

const starred = (text: string): string => '*'.repeat(text.length)

/** Stars in place of every letter and digit but the last `count`; what separates them stays. */
function lastOf(count: number): (text: string) => string {
  return (text) => {
    const kept = text.length - Math.min(count, Math.floor(text.length / 3))
    return text.slice(0, kept).replaceAll(/[\p{L}\p{N}]/gu, '*') + text.slice(kept)
  }
}

/** The first character, if there are more than two, and where it is sent to. */
export function partialEmail(text: string): string {
  const at = text.lastIndexOf('@')
  const kept = at > 2 ? 1 : 0
  return `${text.slice(0, kept)}${starred(text.slice(kept, at))}${text.slice(at)}`
}

const beginningOf = (text: string): string => text.slice(0, 4) + starred(text.slice(4))

const hasDigits = (text: string): boolean => /\d/.test(text)

const detectors = {
  email: {
    mayBeIn: (text) => text.includes('@'),
    shape: /[\p{L}\p{N}._%+'-]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,62})\.){1,8}\p{L}{2,24}/gu,
    partial: partialEmail,
  },
  card: {
    mayBeIn: hasDigits,
    shape: /(?<!\d)(?:\d[ .-]?){12,18}\d(?!\d)/g,
    isOne: isCard,
    partial: lastOf(4),
  },
  phone: {
    mayBeIn: hasDigits,
    shape:
      /(?<![\w+])\+\d{1,3}(?:[ ./-]?\(?\d{1,5}\)?){2,6}(?!\d)|(?<![\w.-])(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])/g,
    isOne: isPhone,
    partial: lastOf(2),
  },
  iban: {
    mayBeIn: hasDigits,
    shape: /(?<![\p{L}\p{N}])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}(?![\p{L}\p{N}])/gu,
    isOne: isIban,
    partial: lastOf(4),
  },
  'national-id': {
    mayBeIn: hasDigits,
    shape:
      /(?<![\w.-])(?:\d{3}-\d{2}-\d{4}|756\.?\d{4}\.?\d{4}\.?\d{2}|[A-Za-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-Da-d]|[12] ?\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{3} ?\d{2}|[\dXYZxyz]\d{7}-?[A-Za-z]|[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z])(?![\w-])/g,
    isOne: isNationalId,
    partial: lastOf(2),
  },
  jwt: {
    mayBeIn: (text) => text.includes('eyJ'),
    shape: /(?<![\w-])eyJ[\w-]{5,}\.[\w-]{2,}\.[\w-]*(?:\.[\w-]*){0,2}/g,
    isOne: isJwt,
    partial: beginningOf,
  },
  key: {
    mayBeIn: (text) => text.length >= 16,
    shape:
      /(?<![\w-])(?:(?:AKIA|ASIA)[A-Z0-9]{16}(?!\w)|gh[opusr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|npm_\w{30,}|[sr]k_(?:live|test)_\w{16,}|sk-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|AIza[\w-]{35}|SG\.[\w-]{16,}\.[\w-]{16,}|AGE-SECRET-KEY-1\w{20,}|-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY-----(?:[^-]|-(?!----END)){1,20000}(?:-----END (?:[A-Z]{2,10} ){0,2}PRIVATE KEY-----)?)/g,
    partial: beginningOf,
  },
} as const satisfies Record<string, Detector>

export type DetectorKind = keyof typeof detectors
export const detectorKinds = Object.keys(detectors) as readonly DetectorKind[]

/** A found value, and what is to stand in its place. */
export type Replace = (found: string, partial: (text: string) => string) => string

/** `undefined` where there is none in it. */
export function replaceFound(text: string, kind: DetectorKind, replace: Replace): string | undefined {
  const { mayBeIn, shape, isOne, partial }: Detector = detectors[kind]
  if (!mayBeIn(text)) return undefined
  let hits = 0
  const replaced = text.replaceAll(shape, (found) => {
    if (isOne !== undefined && !isOne(found)) return found
    hits++
    return replace(found, partial)
  })
  return hits > 0 ? replaced : undefined
}

const digitsOf = (text: string): string => text.replaceAll(/\D/g, '')

/** The ranges that are given out begin so; without that, one number in ten has a right check digit. */
const issued = /^(?:3[0-9]|4|5[0-8]|6|2[2-7])/

export function isCard(text: string): boolean {
  const digits = digitsOf(text)
  if (digits.length < 13 || digits.length > 19 || !issued.test(digits)) return false
  return isLuhn(digits) && new Set(digits).size > 1
}

/** ISO/IEC 7812-1, annex B. */
export function isLuhn(digits: string): boolean {
  let sum = 0
  for (let at = 0; at < digits.length; at++) {
    const digit = Number(digits[digits.length - 1 - at])
    const doubled = at % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

function isPhone(text: string): boolean {
  const { length } = digitsOf(text)
  return text.startsWith('+') ? length >= 8 && length <= 15 : length === 10
}

/** ISO 13616: the first four characters go to the end, letters are numbers from 10 on, and 97 leaves 1. */
export function isIban(text: string): boolean {
  const plain = text.replaceAll(' ', '').toUpperCase()
  if (plain.length < 15 || plain.length > 34) return false
  let rest = 0
  for (const character of plain.slice(4) + plain.slice(0, 4)) {
    const value = Number.parseInt(character, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}

/** United States, Switzerland, United Kingdom, France, Spain, Italy. */
function isNationalId(text: string): boolean {
  const plain = text.replaceAll(/[ .-]/g, '').toUpperCase()
  if (/^\d{9}$/.test(plain)) return !/^(?:000|666|9)|^...00|0000$/.test(plain)
  if (/^756\d{10}$/.test(plain)) return isEan(plain)
  if (/^\d{15}$/.test(plain)) return Number(97n - (BigInt(plain.slice(0, 13)) % 97n)) === Number(plain.slice(13))
  if (/^[XYZ\d]\d{7}[A-Z]$/.test(plain)) return isDni(plain)
  if (/^[A-Z]{2}\d{6}[A-D]$/.test(plain))
    return /^(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]/.test(plain)
  return /^[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]$/.test(plain)
}

function isEan(digits: string): boolean {
  const sum = Array.from(digits).reduce((total, digit, at) => total + Number(digit) * (at % 2 === 0 ? 1 : 3), 0)
  return sum % 10 === 0
}

function isDni(plain: string): boolean {
  const number = Number(plain.slice(0, 8).replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter))))
  return 'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23] === plain[8]
}

/** Its first part says how it is signed, or how it is encrypted. */
function isJwt(text: string): boolean {
  try {
    const header: unknown = JSON.parse(Buffer.from(text.split('.')[0] ?? '', 'base64url').toString())
    return typeof header === 'object' && header !== null && ('alg' in header || 'enc' in header)
  } catch {
    return false
  }
}
