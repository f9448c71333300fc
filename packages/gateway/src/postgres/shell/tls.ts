/** TLS on both sides. */

import { once } from 'node:events'
import { isIP, type Socket } from 'node:net'
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import { endpointBinding } from '../scram/endpoint.ts'
import { HandshakeError } from './packets.ts'

const alpn = 'postgresql'
const minVersion = 'TLSv1.2'

export type ServerTls = {
  readonly context: SecureContext
  /** Of the certificate that clients see. */
  readonly binding: Buffer | undefined
}

/** @throws when key and certificate do not fit */
export const createServerTls = ({ key, cert }: { key: string; cert: string }): ServerTls => ({
  context: createSecureContext({ key, cert, minVersion }),
  binding: endpointBinding(new X509Certificate(cert).raw),
})

export type Secured = { readonly socket: TLSSocket; readonly alpn: string | undefined }

/** The server's part of the handshake. What the socket has buffered is read as TLS. */
export async function acceptTls(plain: Socket, { context }: ServerTls): Promise<Secured> {
  const socket = new TLSSocket(plain, { isServer: true, secureContext: context, ALPNProtocols: [alpn] })
  socket.on('error', () => undefined)
  await settled(socket, 'secure')
  return { socket, alpn: socket.alpnProtocol || undefined }
}

/** Ours, towards a target whose name and certificate must be right. */
export async function startTls(plain: Socket, target: { host: string; ca?: string }): Promise<TLSSocket> {
  const { host, ca } = target
  const socket = connect({
    socket: plain,
    host,
    minVersion,
    ALPNProtocols: [alpn],
    ...(ca !== undefined && { ca }),
    ...(isIP(host) === 0 && { servername: host }),
  })
  await settled(socket, 'secureConnect')
  socket.on('error', () => undefined)
  return socket
}

/** @throws HandshakeError when the socket closes instead */
async function settled(socket: TLSSocket, event: 'secure' | 'secureConnect'): Promise<void> {
  const over = new AbortController()
  const { signal } = over
  const failed = once(socket, 'close', { signal }).then(() => {
    throw new HandshakeError('the TLS handshake failed')
  })
  try {
    await Promise.race([once(socket, event, { signal }), failed])
  } catch (error) {
    if (error instanceof HandshakeError) throw error
    throw new HandshakeError(`the TLS handshake failed: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    over.abort()
    failed.catch(() => undefined)
  }
}

export const peerBinding = (socket: TLSSocket): Buffer | undefined => {
  const certificate = socket.getPeerX509Certificate()
  return certificate && endpointBinding(certificate.raw)
}
