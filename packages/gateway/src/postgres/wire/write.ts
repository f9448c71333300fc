/** What we say ourselves, in bytes. */

import { protocol } from './startup.ts'

/** A message: its type, the length, the parts of its body. */
function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 4)
  const bytes = Buffer.allocUnsafe(1 + length)
  let at = bytes.writeInt32BE(length, bytes.write(type, 'latin1'))
  for (const part of parts) at += part.copy(bytes, at)
  return bytes
}

/** The length, itself counted, and the parts. */
function sized(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([int32(4 + parts.reduce((sum, part) => sum + part.length, 0)), ...parts])
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** A zero byte would end it early, and let what follows be read as something else. */
const ended = (value: string): string => `${value.replaceAll('\0', '')}\0`
const text = (value: string): Buffer => Buffer.from(ended(value))

export type Severity = 'ERROR' | 'FATAL' | 'NOTICE' | 'WARNING'

export type Report = {
  readonly severity: Severity
  readonly sqlstate: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
}

const field = (code: string, value: string | undefined): string => (value === undefined ? '' : `${code}${ended(value)}`)

const reportFields = ({ severity, sqlstate, message: words, detail, hint }: Report): Buffer =>
  Buffer.from(
    `${field('S', severity)}${field('V', severity)}${field('C', sqlstate)}${field('M', words)}${field('D', detail)}${field('H', hint)}\0`,
  )

export const errorResponse = (report: Report): Buffer => message('E', reportFields(report))
export const noticeResponse = (report: Report): Buffer => message('N', reportFields(report))

export const authenticationOk = (): Buffer => message('R', int32(0))
export const authenticationSasl = (mechanisms: readonly string[]): Buffer =>
  message('R', int32(10), ...mechanisms.map(text), Buffer.from([0]))
export const authenticationSaslContinue = (data: string): Buffer => message('R', int32(11), Buffer.from(data))
export const authenticationSaslFinal = (data: string): Buffer => message('R', int32(12), Buffer.from(data))

export const parameterStatus = (name: string, value: string): Buffer => message('S', text(name), text(value))
export const backendKeyData = (processId: number, key: Buffer): Buffer => message('K', int32(processId), key)
export const readyForQuery = (status: 'I' | 'T' | 'E' = 'I'): Buffer => message('Z', Buffer.from(status))
export const negotiateProtocolVersion = (version: number, unknownOptions: readonly string[]): Buffer =>
  message('v', int32(version), int32(unknownOptions.length), ...unknownOptions.map(text))

export const startupMessage = (parameters: ReadonlyMap<string, string>, version: number = protocol.v32): Buffer =>
  sized(int32(version), ...[...parameters].flatMap(([name, value]) => [text(name), text(value)]), Buffer.from([0]))
export const sslRequest = (): Buffer => sized(int32(80_877_103))
export const cancelRequest = (processId: number, key: Buffer): Buffer => sized(int32(80_877_102), int32(processId), key)

export const saslInitialResponse = (mechanism: string, data: string): Buffer =>
  message('p', text(mechanism), int32(Buffer.byteLength(data)), Buffer.from(data))
export const saslResponse = (data: string): Buffer => message('p', Buffer.from(data))

export const query = (sql: string): Buffer => message('Q', text(sql))
export const parse = (name: string, sql: string): Buffer => message('P', text(name), text(sql), Buffer.alloc(2))
export const terminate = (): Buffer => message('X')
