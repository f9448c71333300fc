/** One question of our own to the target, while nobody else says anything on its connection. */

import type { Socket } from 'node:net'
import { limits } from '../../mask/limits.ts'
import { createReader } from '../wire/reader.ts'
import { readError } from '../wire/server-messages.ts'
import { query } from '../wire/write.ts'
import { HandshakeError, packetsOf, type TypedFrame } from './packets.ts'

/** The one value of the one row that comes of it. @throws HandshakeError where there is none */
export async function askTarget(socket: Socket, sql: string): Promise<string> {
  const packets = packetsOf(socket)
  socket.write(query(sql))
  let value: string | undefined
  for (;;) {
    const frame = await packets.message(limits.catalogSizeBytes)
    if (frame.type === 'E') throw new HandshakeError(`the target does not answer: ${readError(frame)?.message ?? ''}`)
    if (frame.type === 'D') value = valueOf(frame)
    if (frame.type === 'Z') break
  }
  if (value === undefined) throw new HandshakeError('the target has no answer')
  return value
}

function valueOf({ buffer, start, end }: TypedFrame): string | undefined {
  const body = createReader(buffer, start + 7, end)
  const text = body.bytes(body.int32()).toString('utf8')
  return body.isDone() ? text : undefined
}
