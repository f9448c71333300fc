/** What a target says, as far as a session must understand it. `undefined`: malformed. */

import type { Frame } from './client-messages.ts'
import { createReader, type Reader } from './reader.ts'

const bodyOf = ({ buffer, start, end }: Frame): Reader => createReader(buffer, start + 5, end)

export type ServerError = { readonly severity: string; readonly sqlstate: string; readonly message: string }

/** Of an ErrorResponse or a NoticeResponse. */
export function readError(frame: Frame): ServerError | undefined {
  const fields = new Map<string, string>()
  const body = bodyOf(frame)
  for (let code = body.byte(); code !== 0; code = body.byte()) fields.set(String.fromCharCode(code), body.text())
  if (!body.isDone()) return undefined
  // `V` is `S` that is not translated; servers before 9.6 have none.
  const severity = fields.get('V') ?? fields.get('S') ?? 'ERROR'
  return { severity, sqlstate: fields.get('C') ?? 'XX000', message: fields.get('M') ?? '' }
}

/** The tag of a CommandComplete. */
export function readTag({ buffer, start, end }: Frame): string | undefined {
  return end - start >= 6 && buffer[end - 1] === 0 ? buffer.toString('latin1', start + 5, end - 1) : undefined
}

export type TransactionStatus = 'idle' | 'in-transaction' | 'failed'

const statuses: Readonly<Record<number, TransactionStatus>> = { 0x49: 'idle', 0x54: 'in-transaction', 0x45: 'failed' }

/** Of a ReadyForQuery. */
export const readStatus = ({ buffer, start, end }: Frame): TransactionStatus | undefined =>
  end - start === 6 ? statuses[buffer[start + 5] ?? 0] : undefined

export type ServerParameter = { readonly name: string; readonly value: string }

export function readParameterStatus(frame: Frame): ServerParameter | undefined {
  const body = bodyOf(frame)
  const parameter = { name: body.text(), value: body.text() }
  return body.isDone() ? parameter : undefined
}

export type BackendKey = { readonly processId: number; readonly key: Buffer }

/** Four bytes of key in protocol 3.0, up to 256 in 3.2. */
export function readBackendKey(frame: Frame): BackendKey | undefined {
  const body = bodyOf(frame)
  const processId = body.int32()
  const key = Buffer.from(body.rest())
  return body.isDone() && key.length >= 4 && key.length <= 256 ? { processId, key } : undefined
}

export type Authentication =
  | { readonly step: 'ok' }
  | { readonly step: 'sasl'; readonly mechanisms: readonly string[] }
  | { readonly step: 'sasl-continue'; readonly data: string }
  | { readonly step: 'sasl-final'; readonly data: string }
  /** Asks for something that we do not do: its name, for people. */
  | { readonly step: 'other'; readonly name: string }

const otherMethods: Readonly<Record<number, string>> = {
  2: 'Kerberos V5',
  3: 'a password in clear text',
  5: 'an MD5 password',
  7: 'GSSAPI',
  8: 'GSSAPI',
  9: 'SSPI',
}

export function readAuthentication(frame: Frame): Authentication | undefined {
  const body = bodyOf(frame)
  const code = body.int32()
  if (!body.isSound()) return undefined
  if (code === 0) return body.isDone() ? { step: 'ok' } : undefined
  if (code === 10) return readMechanisms(body)
  if (code === 11) return { step: 'sasl-continue', data: body.rest().toString('utf8') }
  if (code === 12) return { step: 'sasl-final', data: body.rest().toString('utf8') }
  return { step: 'other', name: otherMethods[code] ?? `method ${code}` }
}

function readMechanisms(body: Reader): Authentication | undefined {
  const mechanisms: string[] = []
  for (let name = body.text(); name !== ''; name = body.text()) mechanisms.push(name)
  return body.isDone() ? { step: 'sasl', mechanisms } : undefined
}

export type Negotiation = { readonly version: number; readonly unknownOptions: readonly string[] }

/** Of a NegotiateProtocolVersion: the version as in a StartupMessage. */
export function readNegotiation(frame: Frame): Negotiation | undefined {
  const body = bodyOf(frame)
  const version = body.int32()
  const count = body.int32()
  if (count < 0 || count > body.left()) return undefined
  const unknownOptions = Array.from({ length: count }, () => body.text())
  return body.isDone() ? { version, unknownOptions } : undefined
}
