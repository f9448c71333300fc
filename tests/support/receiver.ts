/** Whoever is told of things: a real server that takes messages, and checks them as the standard's own library does. */

import { once } from 'node:events'
import { createServer as createPlain } from 'node:http'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { createServer as createSecure } from 'node:https'
import type { AddressInfo } from 'node:net'
import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { onTestFinished } from 'vitest'

export type Received = {
  readonly id: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly message: {
    readonly type: string
    readonly timestamp: string
    readonly data: Readonly<Record<string, unknown>>
  }
}

/** `drop`: the message is read whole, and the connection broken without an answer. `hang`: nothing comes back. */
export type Answering =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | 'drop'
  | 'hang'

export type Receiver = {
  readonly url: string
  /** In the order in which they came, also those that were not taken. */
  readonly received: readonly Received[]
  /** From now on. */
  readonly answer: (how: Answering) => void
  /** Resolves as soon as there are so many. */
  readonly count: (most: number) => Promise<readonly Received[]>
  readonly close: () => Promise<void>
}

export const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`

/** @throws what the standard's library says to a message that is not signed with the secret */
export const verify = (secret: string, { headers, body }: Pick<Received, 'headers' | 'body'>): unknown =>
  new Webhook(secret).verify(body, headers as Record<string, string>)

type Options = { readonly tls?: { readonly key: string; readonly cert: string }; readonly port?: number }

export async function startReceiver({ tls, port = 0 }: Options = {}): Promise<Receiver> {
  const received: Received[] = []
  const waiting = new Set<() => void>()
  let how: Answering = { status: 204 }
  const listener: RequestListener = (request, response) => void take(request, response)
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    const { headers, url: path = '' } = request
    const message = JSON.parse(body) as Received['message']
    received.push({ id: String(headers['webhook-id']), path, headers, body, message })
    for (const told of waiting) told()
    if (how === 'drop') request.socket.destroy()
    else if (how !== 'hang') response.writeHead(how.status, how.headers).end('{"ok":true}')
  }
  const server = tls ? createSecure(tls, listener) : createPlain(listener)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const { port: at } = server.address() as AddressInfo
  return {
    url: `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${at}`,
    received,
    answer: (next) => void (how = next),
    count: (most) =>
      new Promise((resolve) => {
        const told = (): void => {
          if (received.length < most) return
          waiting.delete(told)
          resolve(received)
        }
        waiting.add(told)
        told()
      }),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export async function startReceiverForTest(options: Options = {}): Promise<Receiver> {
  const receiver = await startReceiver(options)
  onTestFinished(() => receiver.close().catch(() => undefined))
  return receiver
}
