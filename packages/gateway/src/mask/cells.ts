/** One column's values in the rows of a result: found by what they are, in the text or the binary form of their type. */

import type { Detecting, Masker } from './methods.ts'

/** What is to stand in a cell's place: `null` for no value, `undefined` for what stands there. */
export type Cell = (row: Buffer, start: number, end: number) => Buffer | null | undefined

/** Numbers of types, as in `pg_type.dat`; they never change. */
const types = {
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  json: 114,
  xml: 142,
  float4: 700,
  float8: 701,
  numeric: 1700,
  jsonb: 3802,
} as const

/** Booleans, dates and times, addresses of machines, object ids and UUIDs: nothing that detectors look for fits in. */
const plainTypes: ReadonlySet<number> = new Set([
  16, 26, 28, 29, 650, 774, 829, 869, 1082, 1083, 1114, 1184, 1186, 1266, 2278, 2950,
])

/** Of whose values not every text is one. */
const strictTypes: ReadonlySet<number> = new Set([
  types.bytea,
  types.int8,
  types.int2,
  types.int4,
  types.float4,
  types.float8,
  types.numeric,
  790,
])

export type Column = {
  /** Absent: the client has not asked, so nobody knows. */
  readonly type: number | undefined
  readonly isText: boolean
  readonly isBinary: boolean
}

const nullCell: Cell = () => null

/** A value of a type that not every text fits into is left out. */
export function maskedCell({ isText }: Column, masker: Masker): Cell {
  if (!isText) return nullCell
  return (row, start, end) => {
    const masked = masker(row.toString('utf8', start, end))
    return masked === null ? null : Buffer.from(masked)
  }
}

/** `undefined`: nothing can be found there. What cannot be read is not sent. */
export function detectingCell(column: Column, detecting: Detecting): Cell | undefined {
  const { type, isBinary } = column
  if (type !== undefined && plainTypes.has(type)) return undefined
  const read = readerOf(column)
  if (read === undefined) return nullCell
  const prefix = isBinary && type === types.jsonb ? 1 : 0
  return (row, start, end) => {
    const found = detecting(read(row, start, end))
    if (found === undefined || found === null) return found
    if (!mayStandIn(column, found)) return null
    const text = Buffer.from(found)
    return prefix === 0 ? text : Buffer.concat([row.subarray(start, start + prefix), text])
  }
}

function mayStandIn({ type, isText }: Column, text: string): boolean {
  if (isText) return true
  if (type === undefined || strictTypes.has(type)) return false
  return (type !== types.json && type !== types.jsonb) || isJson(text)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

type Read = (row: Buffer, start: number, end: number) => string

const readText: Read = (row, start, end) => row.toString('utf8', start, end)

/** Bytes are looked at as the text that they may be. */
const readHex: Read = (row, start, end) => {
  const text = row.toString('latin1', start, end)
  return text.startsWith(String.raw`\x`) ? Buffer.from(text.slice(2), 'hex').toString('utf8') : text
}

function readerOf({ type, isText, isBinary }: Column): Read | undefined {
  if (!isBinary) return type === types.bytea ? readHex : readText
  if (isText) return readText
  return type === undefined ? undefined : binaryReaders.get(type)
}

const binaryReaders: ReadonlyMap<number, Read> = new Map([
  [types.bytea, readText],
  [types.json, readText],
  [types.xml, readText],
  [types.jsonb, (row, start, end) => row.toString('utf8', start + 1, end)],
  [types.int2, (row, start, end) => (end - start === 2 ? String(row.readInt16BE(start)) : '')],
  [types.int4, (row, start, end) => (end - start === 4 ? String(row.readInt32BE(start)) : '')],
  [types.int8, (row, start, end) => (end - start === 8 ? String(row.readBigInt64BE(start)) : '')],
  [types.float4, (row, start, end) => (end - start === 4 ? String(row.readFloatBE(start)) : '')],
  [types.float8, (row, start, end) => (end - start === 8 ? String(row.readDoubleBE(start)) : '')],
  [types.numeric, readNumeric],
])

/** Groups of four digits, the first of them `weight` groups before the point. What is behind the point is not looked at. */
function readNumeric(row: Buffer, start: number, end: number): string {
  if (end - start < 8) return ''
  const count = Math.min(row.readInt16BE(start), (end - start - 8) / 2)
  const weight = row.readInt16BE(start + 2)
  const groups = Array.from({ length: Math.max(0, Math.min(weight, 16) + 1) }, (_, at) =>
    at < count ? row.readUInt16BE(start + 8 + 2 * at) : 0,
  )
  return groups
    .map((group) => String(group).padStart(4, '0'))
    .join('')
    .replace(/^0+/, '')
}
