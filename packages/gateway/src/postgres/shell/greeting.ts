/** The first packets of a connection: whether it is encrypted, and what it wants. */

import type { Socket } from 'node:net'
import { postgresLimits as limits } from '../limits.ts'
import { readStartup, type StartupPacket } from '../wire/startup.ts'
import { errorResponse } from '../wire/write.ts'
import { HandshakeError, type Packets, packetsOf } from './packets.ts'
import { acceptTls, type ServerTls } from './tls.ts'

export type Greeting = {
  readonly packet: Extract<StartupPacket, { type: 'startup' | 'cancel' }>
  readonly socket: Socket
  readonly packets: Packets
  readonly overTls: boolean
}

type Reception = {
  readonly tls: ServerTls | undefined
  /** Without TLS, this connection is not served. */
  readonly mustEncrypt: boolean
}

const tlsHandshake = 0x16

/** @throws HandshakeError when there is nobody to talk to */
export async function greet(plain: Socket, reception: Reception): Promise<Greeting> {
  const [first] = await packetsOf(plain).bytes(1)
  plain.unshift(Buffer.from([first ?? 0]))
  if (first === tlsHandshake) return greetDirectly(plain, reception)
  const packets = packetsOf(plain)
  const asked = new Set<string>()
  for (;;) {
    const packet = readStartup(await packets.untyped(limits.startupSizeBytes))
    if (packet.type === 'malformed') return turnAway(plain, '08P01', `the client sent ${packet.reason}`)
    if (packet.type === 'startup' || packet.type === 'cancel') return admitPlain({ plain, packets, packet }, reception)
    // Each is asked for once, in either order; a client that goes on asking wants something else.
    if (asked.has(packet.type)) throw new HandshakeError('the client asks for encryption again and again')
    asked.add(packet.type)
    if (packet.type === 'ssl' && reception.tls !== undefined) return encrypt(plain, reception.tls)
    // GSSAPI encryption is not spoken, which `N` says in the protocol's own way: a client that insists goes.
    plain.write('N')
  }
}

type Plain = {
  readonly plain: Socket
  readonly packets: Packets
  readonly packet: Greeting['packet']
}

function admitPlain({ plain, packets, packet }: Plain, { mustEncrypt }: Reception): Promise<Greeting> | Greeting {
  // A cancel request carries a key that whoever listens could use, but libpq before 17 never encrypts it.
  if (mustEncrypt && packet.type !== 'cancel') {
    return turnAway(plain, '28000', 'this gateway is only spoken to over TLS: connect with sslmode=verify-full')
  }
  return { packet, socket: plain, packets, overTls: false }
}

async function encrypt(plain: Socket, tls: ServerTls): Promise<Greeting> {
  // What was sent before the handshake was not encrypted and must not be taken for what was (CVE-2021-23214).
  if (plain.readableLength > 0) return turnAway(plain, '08P01', 'the client sent more after its request for TLS')
  plain.write('S')
  const { socket } = await acceptTls(plain, tls)
  return readEncrypted(socket)
}

async function greetDirectly(plain: Socket, { tls }: Reception): Promise<Greeting> {
  if (tls === undefined) throw new HandshakeError('the client wants TLS, which is not configured')
  const { socket, alpn } = await acceptTls(plain, tls)
  // Without it, a browser could be led to speak to us.
  if (alpn === undefined) return turnAway(socket, '08P01', 'direct TLS needs ALPN with the protocol "postgresql"')
  return readEncrypted(socket)
}

async function readEncrypted(socket: Socket): Promise<Greeting> {
  const packets = packetsOf(socket)
  const packet = readStartup(await packets.untyped(limits.startupSizeBytes))
  if (packet.type === 'startup' || packet.type === 'cancel') return { packet, socket, packets, overTls: true }
  const what = packet.type === 'malformed' ? packet.reason : 'a request for encryption within TLS'
  return turnAway(socket, '08P01', `the client sent ${what}`)
}

/** The client is told why it is not let in, and may take a moment to read it. */
export class TurnedAway extends HandshakeError {}

/** @throws TurnedAway always */
export async function turnAway(socket: Socket, sqlstate: string, message: string): Promise<never> {
  socket.end(errorResponse({ severity: 'FATAL', sqlstate, message }))
  // What it still sends is read and thrown away: closing over unread bytes would take the answer with it.
  socket.resume()
  throw new TurnedAway(message)
}
