/** The way to the target: connecting, logging in with what only the gateway knows, and cancelling. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { postgresLimits as limits } from '../limits.ts'
import { createScramClient, type ScramClient } from '../scram/client.ts'
import type { MakeKeys } from '../scram/keys.ts'
import {
  type BackendKey,
  readAuthentication,
  readBackendKey,
  readError,
  readNegotiation,
  readParameterStatus,
  type ServerError,
  type ServerParameter,
} from '../wire/server-messages.ts'
import { protocol } from '../wire/startup.ts'
import { cancelRequest, saslInitialResponse, saslResponse, sslRequest, startupMessage } from '../wire/write.ts'
import { HandshakeError, type Packets, packetsOf, type TypedFrame } from './packets.ts'
import type { TargetLogin } from './ports.ts'
import { createReads, type Reads } from './reads.ts'
import { peerBinding, startTls } from './tls.ts'

export type OpenTarget = {
  readonly socket: Socket
  /** What comes from here on. Where there is TLS, or something has come already, it is in the socket's stream. */
  readonly listen: Reads['listen']
  /** Breaks the connection off, with what is on its way in it. */
  readonly reset: () => void
  /** What the target says of the session, in its order. */
  readonly parameters: readonly ServerParameter[]
  /** Absent: nothing can be cancelled there. */
  readonly key: BackendKey | undefined
}

/** The target answered, and the answer is no. */
export class TargetRefusal extends Error {
  override readonly name = 'TargetRefusal'
  readonly refusal: ServerError
  constructor(refusal: ServerError) {
    super(`the target refused the login: ${refusal.sqlstate}`)
    this.refusal = refusal
  }
}

type Opening = {
  readonly target: TargetLogin
  readonly parameters: ReadonlyMap<string, string>
  readonly random: (count: number) => Uint8Array
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal
  /** Absent: made anew. */
  readonly keysOf?: MakeKeys
}

/** @throws HandshakeError or TargetRefusal; nothing is left open then */
export async function openTarget(opening: Opening): Promise<OpenTarget> {
  const connection = await reach(opening.target, opening.signal)
  const { socket } = connection
  try {
    return { ...connection, ...(await logIn(socket, opening)) }
  } catch (error) {
    socket.destroy()
    throw error
  }
}

type Connection = Pick<OpenTarget, 'socket' | 'reset' | 'listen'>

/** A connection, over TLS if the target is to have it. It is destroyed when the signal is aborted, also later. */
async function reach({ host, port, tls, ca }: TargetLogin, signal: AbortSignal): Promise<Connection> {
  const reads = createReads(() => socket, limits.readSizeBytes)
  const listen: Connection['listen'] = (listener) => reads.listen(listener)
  const options = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, signal }
  // What is encrypted has another way through Node, which has to make memory for it.
  const socket = connect({ ...options, ...(tls === 'disable' && { onread: reads.onread }) })
  try {
    await once(socket, 'connect')
    socket.on('error', () => undefined)
    // A TLS connection cannot be reset itself, what it runs over can.
    const reset = (): void => void socket.resetAndDestroy()
    if (tls === 'disable') return { socket, reset, listen }
    socket.write(sslRequest())
    const packets = packetsOf(socket)
    const [answer] = await packets.bytes(1)
    if (answer !== 0x53) throw new HandshakeError('the target does not speak TLS')
    // Whatever came before the handshake was not said by who will have proved to be the target.
    if (packets.isAhead()) throw new HandshakeError('the target sent more before TLS than its answer')
    return { socket: await startTls(socket, { host, ...(ca !== undefined && { ca }) }), reset, listen }
  } catch (error) {
    socket.on('error', () => undefined)
    socket.destroy()
    if (error instanceof HandshakeError) throw error
    throw new HandshakeError(`the target was not reached: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function logIn(socket: Socket, { target, parameters, random, keysOf }: Opening): Promise<SessionFacts> {
  const packets = packetsOf(socket)
  const { user, database } = target
  const settings = [...parameters, ...Object.entries(target.parameters ?? {})]
  socket.write(startupMessage(new Map([...settings, ['user', user], ['database', database]])))
  const nonce = Buffer.from(random(18)).toString('base64')
  await authenticate({ socket, packets, target, nonce, ...(keysOf && { keysOf }) })
  return readSession(packets)
}

type Login = Pick<Opening, 'target' | 'keysOf'> & {
  readonly socket: Socket
  readonly packets: Packets
  readonly nonce: string
}

/** SCRAM and nothing else: a target that asks for less would let anyone in, or want the password itself. */
async function authenticate(login: Login): Promise<void> {
  const { socket, packets } = login
  const first = await authentication(packets)
  if (first.step !== 'sasl') throw new HandshakeError(`the target asks for ${asked(first)}, and not for SCRAM-SHA-256`)
  const scram = scramFor(login, first.mechanisms)
  socket.write(saslInitialResponse(scram.mechanism, scram.first))
  const challenge = await authentication(packets)
  if (challenge.step !== 'sasl-continue') throw new HandshakeError('the target broke off SCRAM')
  const proof = await scram.final(challenge.data)
  if ('problem' in proof) throw new HandshakeError(`the target sent ${proof.problem}`)
  socket.write(saslResponse(proof.message))
  const final = await authentication(packets)
  if (final.step !== 'sasl-final' || !scram.verify(final.data)) {
    throw new HandshakeError('the target did not prove that it knows the password')
  }
  if ((await authentication(packets)).step !== 'ok') throw new HandshakeError('the target asks for more than SCRAM')
}

function scramFor({ socket, target, nonce, keysOf }: Login, offered: readonly string[]): ScramClient {
  const overTls = socket instanceof TLSSocket
  const binding = socket instanceof TLSSocket ? peerBinding(socket) : undefined
  const scram = createScramClient({
    secret: target.secret,
    nonce,
    offered,
    overTls,
    ...(keysOf && { keysOf }),
    ...(binding !== undefined && { binding }),
  })
  if (scram === undefined) throw new HandshakeError('the target offers no SCRAM-SHA-256')
  return scram
}

type Step = NonNullable<ReturnType<typeof readAuthentication>>

const asked = (step: Step): string => (step.step === 'other' ? step.name : 'no password')

async function authentication(packets: Packets): Promise<Step> {
  for (;;) {
    const frame = await loginMessage(packets)
    if (frame.type === 'v') acceptVersion(frame)
    else {
      const step = frame.type === 'R' ? readAuthentication(frame) : undefined
      if (step === undefined) throw new HandshakeError('the target answered out of turn while logging in')
      return step
    }
  }
}

/** We ask for 3.2, and take 3.0. We ask for no options, so that none can be unknown. */
function acceptVersion(frame: TypedFrame): void {
  const negotiated = readNegotiation(frame)
  const known = negotiated?.version === protocol.v30 || negotiated?.version === protocol.v32
  if (!known || negotiated.unknownOptions.length > 0) throw new HandshakeError('the target speaks another protocol')
}

/** The next message that is neither an error nor a notice. */
async function loginMessage(packets: Packets): Promise<TypedFrame> {
  for (;;) {
    const frame = await packets.message(limits.loginMessageSizeBytes)
    if (frame.type === 'E') {
      throw new TargetRefusal(readError(frame) ?? { severity: 'FATAL', sqlstate: 'XX000', message: 'malformed' })
    }
    if (frame.type !== 'N') return frame
  }
}

type SessionFacts = Pick<OpenTarget, 'parameters' | 'key'>

async function readSession(packets: Packets): Promise<SessionFacts> {
  const parameters: ServerParameter[] = []
  let key: BackendKey | undefined
  while (parameters.length < limits.loginParameters) {
    const frame = await loginMessage(packets)
    if (frame.type === 'Z') return { parameters, key }
    const parameter = frame.type === 'S' ? readParameterStatus(frame) : undefined
    if (parameter !== undefined) parameters.push(parameter)
    else if (frame.type === 'K') key = readBackendKey(frame)
    else throw new HandshakeError('the target answered out of turn after logging in')
  }
  throw new HandshakeError('the target has too many parameters')
}

/** On a connection of its own. Resolves when the target has taken it, or cannot be told. */
export async function cancelAtTarget(target: TargetLogin, { processId, key }: BackendKey): Promise<void> {
  const signal = AbortSignal.timeout(limits.cancelMs)
  try {
    const { socket } = await reach(target, signal)
    // The target closes when it has passed the signal on.
    const closed = once(socket, 'close', { signal })
    socket.resume()
    socket.write(cancelRequest(processId, key))
    await closed
    socket.destroy()
  } catch {
    // The backend is let go of in any case; a statement that runs on is ended by its connection being gone.
  }
}
