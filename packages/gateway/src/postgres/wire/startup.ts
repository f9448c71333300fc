/** The first bytes of a connection, which have no type: requests for encryption, a cancellation, or the start of a session. */

import { createReader } from './reader.ts'

export const protocol = { v30: 0x0003_0000, v32: 0x0003_0002 } as const

const codes = { cancel: 80_877_102, ssl: 80_877_103, gss: 80_877_104 } as const

export type StartupPacket =
  | { readonly type: 'ssl' }
  | { readonly type: 'gss' }
  | { readonly type: 'cancel'; readonly processId: number; readonly key: Buffer }
  | {
      readonly type: 'startup'
      readonly version: number
      /** In the order given. A name that comes twice is malformed: whichever we took, the target might take the other. */
      readonly parameters: ReadonlyMap<string, string>
    }
  | { readonly type: 'malformed'; readonly reason: string }

const malformed = (reason: string): StartupPacket => ({ type: 'malformed', reason })

/** @param packet with its length, which is that of the packet */
export function readStartup(packet: Buffer): StartupPacket {
  const body = createReader(packet, 4, packet.length)
  const code = body.int32()
  if (!body.isSound()) return malformed('a startup packet without a version')
  if (code === codes.ssl || code === codes.gss) {
    return body.isDone() ? { type: code === codes.ssl ? 'ssl' : 'gss' } : malformed('an encryption request with a body')
  }
  if (code === codes.cancel) return readCancel(packet)
  if (code >>> 16 !== 3) return malformed(`protocol ${code >>> 16}.${code & 0xffff}, which is not spoken here`)
  return readParameters(packet, code)
}

function readCancel(packet: Buffer): StartupPacket {
  const body = createReader(packet, 8, packet.length)
  const processId = body.int32()
  const key = Buffer.from(body.rest())
  if (!body.isDone() || key.length < 4 || key.length > 256) return malformed('a cancel request without a proper key')
  return { type: 'cancel', processId, key }
}

function readParameters(packet: Buffer, version: number): StartupPacket {
  const body = createReader(packet, 8, packet.length)
  const parameters = new Map<string, string>()
  for (let name = body.text(); name !== ''; name = body.text()) {
    if (parameters.has(name)) return malformed('a startup parameter that is given twice')
    parameters.set(name, body.text())
  }
  return body.isDone() ? { type: 'startup', version, parameters } : malformed('startup parameters without an end')
}
