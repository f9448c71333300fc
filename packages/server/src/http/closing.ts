/**
 * Ends the HTTP side. Fastify closes connections that are idle, but to Node one on which nothing was ever asked is not
 * idle: whoever opens some ahead, as `fetch` does, would keep a server from stopping for a minute and more.
 */

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/** What is on its way as the stop begins has so long to become a request. */
const graceMs = 200

/** @returns takes no new connection, answers what was asked, and lets go of the rest */
export function closingOf(app: FastifyInstance): () => Promise<void> {
  const sockets = new Set<Socket>()
  const answering = new Set<ServerResponse>()
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  app.server.on('request', (_request, response: ServerResponse) => {
    answering.add(response)
    response.once('close', () => answering.delete(response))
  })
  return async () => {
    const closed = app.close()
    do {
      await Promise.all([...answering].map((response) => new Promise((resolve) => response.once('close', resolve))))
      if (sockets.size > 0) await delay(graceMs)
    } while (answering.size > 0)
    for (const socket of sockets) socket.destroy()
    await closed
  }
}
