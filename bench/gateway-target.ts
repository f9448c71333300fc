/**
 * Stands in for a target that has room for thousands of sessions, which a PostgreSQL of one machine has not: a process
 * for each. It lets in whoever proves the password by SCRAM, and answers everything like `select 1`, after as long as a
 * `pg_sleep` in it would take. Run as a process of its own: whoever measures does not wait for what it does.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createScramServer } from '../packages/gateway/src/postgres/scram/server.ts'
import { readVerifier, type ScramVerifier } from '../packages/gateway/src/postgres/scram/verifier.ts'
import { packetsOf } from '../packages/gateway/src/postgres/shell/packets.ts'
import { createReader } from '../packages/gateway/src/postgres/wire/reader.ts'
import { readStartup } from '../packages/gateway/src/postgres/wire/startup.ts'
import {
  authenticationOk,
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
  backendKeyData,
  parameterStatus,
  readyForQuery,
} from '../packages/gateway/src/postgres/wire/write.ts'
import { obey, type Standing } from './gateway-orders.ts'

export type StandInSetup = {
  /** Of the password that all users have. */
  readonly verifier: string
}

async function start(setup: StandInSetup): Promise<Standing> {
  const verifier = readVerifier(setup.verifier)
  if (verifier === undefined) throw new Error('The verifier does not read.')
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket))
    void serve(socket, verifier).catch(() => socket.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    // Only what stands in between is cut.
    cut: () => undefined,
    async stop() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** Settings that a gateway insists on, as PostgreSQL reports them. */
const reported = { server_version: '18.0', client_encoding: 'UTF8', standard_conforming_strings: 'on' } as const

const longest = 10_000

async function serve(socket: Socket, verifier: ScramVerifier): Promise<void> {
  const packets = packetsOf(socket)
  const asked = readStartup(await packets.untyped(longest))
  if (asked.type !== 'startup') {
    // What a cancel request is for went with its connection.
    socket.end()
    return
  }
  const scram = createScramServer({ verifier, nonce: randomBytes(18).toString('base64') })
  socket.write(authenticationSasl(scram.mechanisms))
  const initial = (await packets.message(longest)).buffer
  const reader = createReader(initial, 5, initial.length)
  const mechanism = reader.text()
  const challenge = scram.first(mechanism, reader.bytes(reader.int32()).toString('utf8'))
  if (challenge.outcome !== 'continue') throw new Error('It does not speak SCRAM.')
  socket.write(authenticationSaslContinue(challenge.message))
  const final = scram.final((await packets.message(longest)).buffer.toString('utf8', 5))
  if (final.outcome !== 'continue') throw new Error('It does not know the password.')
  const told = Object.entries(reported).map(([name, value]) => parameterStatus(name, value))
  const key = backendKeyData(1, randomBytes(4))
  socket.write(
    Buffer.concat([authenticationSaslFinal(final.message), authenticationOk(), ...told, key, readyForQuery()]),
  )
  socket.on('data', (chunk: Buffer) => respond(socket, chunk)).resume()
}

/** Clients here say one thing at a time, and it is short. */
function respond(socket: Socket, chunk: Buffer): void {
  if (chunk[0] !== 'Q'.charCodeAt(0)) return
  const seconds = Number(/pg_sleep\(([\d.e-]+)\)/.exec(chunk.toString('latin1'))?.[1] ?? 0)
  if (seconds > 0) setTimeout(() => socket.writable && socket.write(answer), seconds * 1_000)
  else socket.write(answer)
}

const message = (type: string, body: string): Buffer => {
  const head = Buffer.from(`${type}\0\0\0\0`, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, Buffer.from(body, 'latin1')])
}

/** One column of type int4, one row, and what ends both. */
const answer = Buffer.concat([
  message('T', '\0\u0001?column?\0\0\0\0\0\0\0\0\0\0\u0017\0\u0004\u00ff\u00ff\u00ff\u00ff\0\0'),
  message('D', '\0\u0001\0\0\0\u00011'),
  message('C', 'SELECT 1\0'),
  readyForQuery(),
])

obey((setup) => start(setup as StandInSetup))
