/** Speaks the protocol by hand, for what drivers do not do. */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Client } from 'pg'
import { onTestFinished } from 'vitest'
import { createScramClient } from '../scram/client.ts'
import { packetsOf, type TypedFrame } from '../shell/packets.ts'
import { openTarget } from '../shell/target.ts'
import { type BackendKey, readAuthentication, readError, type ServerError } from '../wire/server-messages.ts'
import { cancelRequest, saslInitialResponse, saslResponse, startupMessage } from '../wire/write.ts'

/** A message of a client, from its type and the parts of its body: numbers are 32 bits, strings end with a zero byte. */
export function say(type: string, ...parts: readonly (number | string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map(bytesOf))
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

function bytesOf(part: number | string | Buffer): Buffer {
  if (Buffer.isBuffer(part)) return part
  if (typeof part === 'string') return Buffer.from(`${part}\0`)
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(part)
  return bytes
}

const none = Buffer.alloc(2)

export const words = {
  query: (sql: string) => say('Q', sql),
  parse: (name: string, sql: string) => say('P', name, sql, none),
  /** Of text parameters. */
  bind(portal: string, statement: string, ...values: readonly string[]) {
    const count = Buffer.from([0, values.length])
    const parameters = values.flatMap((value) => [Buffer.byteLength(value), Buffer.from(value)])
    return say('B', portal, statement, none, count, ...parameters, none)
  },
  describe: (what: 'S' | 'P', name: string) => say('D', Buffer.from(what), name),
  execute: (portal: string, rows = 0) => say('E', portal, rows),
  close: (what: 'S' | 'P', name: string) => say('C', Buffer.from(what), name),
  sync: () => say('S'),
  flush: () => say('H'),
  copyData: (text: string) => say('d', Buffer.from(text)),
  copyDone: () => say('c'),
  copyFail: (why: string) => say('f', why),
  terminate: () => say('X'),
}

export type Line = {
  readonly socket: Socket
  /** Cancels what it runs. Absent: not known here. */
  readonly key?: BackendKey
  /** Breaks the connection off, whatever runs over it. */
  readonly reset: () => void
  readonly send: (...messages: readonly Buffer[]) => void
  readonly next: () => Promise<TypedFrame>
  /** The messages up to the next ReadyForQuery, that included. */
  readonly untilReady: () => Promise<readonly TypedFrame[]>
  /** The types of these, in one word. */
  readonly types: () => Promise<string>
}

export const wordOf = (frames: readonly TypedFrame[]): string => frames.map(({ type }) => type).join('')

export function lineOn(socket: Socket, { key, reset }: Partial<Pick<Line, 'key' | 'reset'>> = {}): Line {
  const packets = packetsOf(socket)
  const next = (): Promise<TypedFrame> => packets.message(0x7fff_ffff)
  const untilReady = async (): Promise<readonly TypedFrame[]> => {
    const frames: TypedFrame[] = []
    do frames.push(await next())
    while (frames.at(-1)?.type !== 'Z')
    return frames
  }
  return {
    socket,
    ...(key && { key }),
    reset: reset ?? (() => void socket.resetAndDestroy()),
    send: (...messages) => void socket.write(Buffer.concat(messages)),
    next,
    untilReady,
    types: async () => wordOf(await untilReady()),
  }
}

type Connection = {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** Of who has signed the certificate for `localhost`. Absent: without TLS. */
  readonly ca?: string
}

/** Logs in as any client would. */
export async function dial(to: Connection, parameters: Readonly<Record<string, string>> = {}): Promise<Line> {
  const { password: secret, ca, ...where } = to
  const plain = { ...where, secret, tls: 'disable' } as const
  const { socket, key, reset } = await openTarget({
    target: ca === undefined ? plain : { ...plain, host: 'localhost', tls: 'verify-full', ca },
    parameters: new Map(Object.entries(parameters)),
    random: (count) => randomBytes(count),
    signal: new AbortController().signal,
  })
  onTestFinished(() => void socket.destroy())
  return lineOn(socket, { reset, ...(key && { key }) })
}

export type Knock = {
  readonly line: Line
  /** Gives the type of what comes of it: `R`, or `E`. */
  readonly prove: (password?: string) => Promise<string>
}

/** Someone who has said who they are, as the application `knocking`, and has proved nothing. */
export async function knock(socket: Socket, { user, database, password }: Connection): Promise<Knock> {
  const line = lineOn(socket)
  socket.write(startupMessage(new Map(Object.entries({ user, database, application_name: 'knocking' }))))
  const asked = readAuthentication(await line.next())
  const offered = asked?.step === 'sasl' ? asked.mechanisms : []
  const prove = async (secret = password): Promise<string> => {
    const scram = createScramClient({ secret, nonce: randomBytes(18).toString('base64'), offered, overTls: false })!
    socket.write(saslInitialResponse(scram.mechanism, scram.first))
    const challenge = readAuthentication(await line.next())
    const step = await scram.final(challenge?.step === 'sasl-continue' ? challenge.data : '')
    socket.write(saslResponse('message' in step ? step.message : ''))
    return (await line.next()).type
  }
  return { line, prove }
}

/** Whose backend at the target a session has, once its client has proved itself. */
export async function backendOf({ line }: Knock): Promise<number> {
  await line.untilReady()
  line.send(words.query('select pg_backend_pid()'))
  const row = (await line.untilReady()).find(({ type }) => type === 'D')
  return Number(row?.buffer.subarray(11).toString())
}

/** However it closes. */
export const isClosed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())))

/** A connection on which nothing has been said. */
export async function ring({ host, port }: Pick<Connection, 'host' | 'port'>): Promise<Socket> {
  const socket = connect(port, host)
  socket.on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** The last message before the socket closes. Whoever has more to read than that reads it as fast as clients do. */
export async function farewell({ socket }: Line): Promise<ServerError | undefined> {
  const buffer = await readAll(socket)
  let last: ServerError | undefined
  for (let start = 0, end = 0; start + 5 <= buffer.length; start = end) {
    end = start + 1 + buffer.readInt32BE(start + 1)
    if (buffer[start] === 0x45) last = readError({ buffer, start, end })
  }
  return last?.severity === 'FATAL' ? last : undefined
}

/** Everything that comes until the other side closes. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume()
  // However it closes: what is reset has said what it said.
  await isClosed(socket)
  return Buffer.concat(chunks)
}

/** The cancel request for what a client of node-postgres runs. */
export function cancelPacket(client: Client): Buffer {
  const { processID, secretKey } = client as unknown as { readonly processID: number; readonly secretKey: number }
  const key = Buffer.alloc(4)
  key.writeInt32BE(secretKey)
  return cancelRequest(processID, key)
}
