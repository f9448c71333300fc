/** A client proves who it is, and is let in or not. */

import type { Socket } from 'node:net'
import { postgresLimits as limits } from '../limits.ts'
import { createScramServer, type ScramAnswer, type ScramServer } from '../scram/server.ts'
import { mockVerifier, readVerifier, type ScramVerifier } from '../scram/verifier.ts'
import { chooseStartup, type StartupChoice } from '../session/startup-parameters.ts'
import { createReader } from '../wire/reader.ts'
import {
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
  negotiateProtocolVersion,
} from '../wire/write.ts'
import { type Greeting, turnAway } from './greeting.ts'
import { HandshakeError, type Packets } from './packets.ts'
import type { Authority, Login } from './ports.ts'

export type LoggedIn = Extract<StartupChoice, { outcome: 'taken' }>

type LoginConfig = {
  /** Told what the client wants before it has proved anything. */
  readonly coming: (choice: LoggedIn) => void
  readonly lookup: Authority['lookup']
  readonly renewed: NonNullable<Authority['renewed']>
  readonly random: (count: number) => Uint8Array
  readonly mockSecret: Uint8Array
  /** Of our certificate. */
  readonly binding: Buffer | undefined
}

/** @throws HandshakeError when it does not come to that; the client has been told why */
export async function logClientIn(greeting: Greeting, config: LoginConfig): Promise<LoggedIn> {
  const { socket, packets, packet, overTls } = greeting
  if (packet.type !== 'startup') throw new HandshakeError('not a login')
  const choice = chooseStartup(packet.version, packet.parameters)
  if (choice.outcome === 'refused') return turnAway(socket, '0A000', choice.reason)
  if (choice.isNegotiated) socket.write(negotiateProtocolVersion(choice.version, choice.unknownOptions))
  const scram = createScramServer({
    verifier: await verifierFor(choice, config),
    nonce: Buffer.from(config.random(18)).toString('base64'),
    ...(overTls && config.binding !== undefined && { binding: config.binding }),
  })
  const { user, database } = choice
  config.coming(choice)
  await exchange({ socket, packets, scram, user, renewed: () => config.renewed({ user, database }) })
  return choice
}

/** A user that is not known is asked for a password like any other, and no password is right. */
async function verifierFor({ user, database }: Login, config: LoginConfig): Promise<ScramVerifier> {
  const found = await config.lookup({ user, database })
  if (found === undefined) return mockVerifier(config.mockSecret, `${user}\0${database}`)
  const verifier = readVerifier(found)
  if (verifier === undefined) throw new HandshakeError('the verifier of a user is malformed')
  return verifier
}

type Exchange = {
  readonly socket: Socket
  readonly packets: Packets
  readonly scram: ScramServer
  readonly user: string
  readonly renewed: () => Promise<string | undefined>
}

async function exchange({ socket, packets, scram, user, renewed }: Exchange): Promise<void> {
  socket.write(authenticationSasl(scram.mechanisms))
  const initial = readInitial(await response(packets))
  if (initial === undefined) return turnAway(socket, '08P01', 'the client sent a malformed SASL response')
  const challenge = await carryOn(socket, user, scram.first(initial.mechanism, initial.data))
  socket.write(authenticationSaslContinue(challenge))
  const final = scram.final((await response(packets)).toString('utf8'))
  const signature = await carryOn(socket, user, final.outcome === 'wrong' ? await tryAgain(scram, renewed) : final)
  socket.write(authenticationSaslFinal(signature))
}

/**
 * Its password may be newer than what is known of it. A name that nobody has is asked about for as long, so that neither
 * the words nor the time tell one from a password that is wrong.
 */
async function tryAgain(scram: ScramServer, renewed: Exchange['renewed']): Promise<ScramAnswer> {
  const found = await renewed()
  const verifier = found === undefined ? undefined : readVerifier(found)
  return verifier === undefined ? { outcome: 'wrong' } : scram.again(verifier)
}

async function response(packets: Packets): Promise<Buffer> {
  const { type, buffer } = await packets.message(limits.loginMessageSizeBytes)
  if (type !== 'p') throw new HandshakeError('the client answered out of turn while logging in')
  return buffer.subarray(5)
}

async function carryOn(socket: Socket, user: string, answer: ScramAnswer): Promise<string> {
  if (answer.outcome === 'continue') return answer.message
  if (answer.outcome === 'malformed') return turnAway(socket, '08P01', `SCRAM went wrong: ${answer.reason}`)
  return turnAway(socket, '28P01', `password authentication failed for user "${user}"`)
}

type Initial = { readonly mechanism: string; readonly data: string }

/** The mechanism, and the first message with its length. */
function readInitial(body: Buffer): Initial | undefined {
  const reader = createReader(body, 0, body.length)
  const mechanism = reader.text()
  const length = reader.int32()
  const data = reader.bytes(length).toString('utf8')
  return reader.isDone() ? { mechanism, data } : undefined
}
