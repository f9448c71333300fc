/** What stands in for the network does what it says, or nothing that is seen through it means anything. */

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { TestContext } from 'vitest'
import { eventually } from './eventually.ts'
import type { Link } from './network.ts'
import { openLink } from './network.ts'

type End = { readonly socket: Socket; readonly heard: () => string }

/** In which anything that is not held would arrive. */
const momentMs = 50

const soon = { what: 'it is so', withinMs: 5_000 }

/** Both ends of one connection through a link. */
async function pair({ onTestFinished }: TestContext): Promise<{ link: Link; client: End; server: End }> {
  const upstream = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const link = await openLink({ host: '127.0.0.1', port: (upstream.address() as AddressInfo).port })
  const arrives = once(upstream, 'connection') as Promise<[Socket]>
  const client = endOf(connect({ host: link.host, port: link.port, allowHalfOpen: true }))
  const [socket] = await arrives
  const server = endOf(socket)
  onTestFinished(async () => {
    for (const end of [client, server]) end.socket.destroy()
    await link.close()
    upstream.close()
  })
  return { link, client, server }
}

/** What it hears, with how it was ended: `.` in order, `!` torn. */
function endOf(socket: Socket): End {
  let heard = ''
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text))
  socket.on('end', () => (heard += '.'))
  socket.on('error', () => (heard += '!'))
  return { socket, heard: () => heard }
}

test('what is sent later never arrives before what was delayed', async (context) => {
  const { link, client, server } = await pair(context)
  const since = performance.now()
  link.delay(200)
  client.socket.write('a')
  // For the link to have taken it: what follows is another piece.
  await delay(momentMs)
  link.delay(0)
  client.socket.write('b')
  await eventually(soon, () => server.heard().length === 2)
  expect(server.heard()).toBe('ab')
  expect(performance.now() - since).toBeGreaterThanOrEqual(200)
})

test('silence holds what is said until it is over, and loses none of it', async (context) => {
  const { link, client, server } = await pair(context)
  link.become('silent')
  client.socket.write('a')
  server.socket.end('b')
  await delay(momentMs)
  expect([client.heard(), server.heard()]).toEqual(['', ''])
  link.become('open')
  await eventually(soon, () => server.heard() === 'a' && client.heard() === 'b.')
})

test('a connection that is half closed says so to one end, and carries what that one still has to say', async (context) => {
  const { link, client, server } = await pair(context)
  link.halfClose('client')
  await eventually(soon, () => client.heard() === '.')
  client.socket.write('a')
  await eventually(soon, () => server.heard() === 'a')
})

test('a cut tears both ends, and those that come until it is mended', async (context) => {
  const { link, client, server } = await pair(context)
  link.become('cut')
  await eventually(soon, () => client.heard() === '!' && server.heard() === '!')
  const next = endOf(connect(link.port, link.host))
  await eventually(soon, () => next.heard() === '!')
  expect(link.connections()).toBe(0)
})

test('of a connection that is forgotten neither end hears anything any more', async (context) => {
  const { link, client, server } = await pair(context)
  link.forget()
  client.socket.end('a')
  server.socket.write('b')
  link.become('cut')
  await delay(momentMs)
  expect([client.heard(), server.heard()]).toEqual(['', ''])
})
