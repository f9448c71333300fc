/** One attempt, against whatever may answer: a real receiver, a slow one, one that is none, one that never stops. */

import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { once } from 'node:events'
import { seconds } from '@tidegate/core'
import type { Millis } from '@tidegate/core'
import { expect, onTestFinished, test } from 'vitest'
import { makeCertificates } from '../packages/gateway/src/postgres/testing/certificates.ts'
import { newSecret, startReceiverForTest, verify } from './support/receiver.ts'
import { systemRuntime } from '../packages/server/src/runtime.ts'
import type { Outcome } from '../packages/server/src/notify/deliver.ts'
import { createCourier } from '../packages/server/src/notify/deliver.ts'
import { destinationProblem, guardedLookup, isRefused } from '../packages/server/src/notify/destination.ts'

const secret = newSecret()
const message = { id: 'ent_1', body: '{"type":"webhook.test"}' }
const impatient = { connect: 200 as Millis, answer: 400 as Millis }

type Sent = {
  readonly url: string
  readonly env?: Readonly<Record<string, string>>
  readonly ca?: string
  readonly stopping?: AbortSignal
}

function send({ url, env = {}, ca, stopping = new AbortController().signal }: Sent): Promise<Outcome> {
  const secrets = { env: { SECRET: secret, ...env }, secretsDir: '/nonexistent' }
  const courier = createCourier({ runtime: systemRuntime, secrets, patience: impatient })
  const webhook = { id: 'pager', url, secrets: ['env:SECRET'], entries: ['urgent'], ...(ca !== undefined && { ca }) }
  return courier.deliver(webhook, message, stopping)
}

/** A server of plain bytes. */
async function answering(answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    answer(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
}

test('what is sent is signed, says what it is, and is taken by 2xx', async () => {
  const receiver = await startReceiverForTest()
  receiver.answer({ status: 202 })
  expect(await send({ url: `${receiver.url}/a?b=c` })).toEqual({ kind: 'accepted' })
  const [received] = receiver.received
  expect([received?.path, received?.body]).toEqual(['/a?b=c', message.body])
  expect(received?.headers).toMatchObject({ 'webhook-id': 'ent_1', 'content-type': 'application/json' })
  expect(verify(secret, received!)).toEqual({ type: 'webhook.test' })
})

test('what was signed is nothing with another id, time or body', async () => {
  const receiver = await startReceiverForTest()
  await send({ url: receiver.url })
  const { headers, body } = receiver.received[0]!
  const changed = [
    { headers: { ...headers, 'webhook-id': 'ent_2' }, body },
    { headers: { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) }, body },
    { headers, body: '{"type":"webhook.tost"}' },
  ]
  for (const one of changed) expect(() => verify(secret, one)).toThrow('No matching signature found')
})

test('a redirect is not followed', async () => {
  const elsewhere = await startReceiverForTest()
  const receiver = await startReceiverForTest()
  for (const status of [301, 302, 307, 308]) {
    receiver.answer({ status, headers: { location: elsewhere.url } })
    expect(await send({ url: receiver.url })).toEqual({ kind: 'failed', error: `It answered ${status}.` })
  }
  expect(elsewhere.received).toEqual([])
})

test.each([
  ['never answers', () => undefined],
  ['says half of an answer', (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-')],
])('a receiver that %s is waited for as long as that may take', async (_, answer) => {
  const outcome = await send({ url: `http://${await answering(answer)}` })
  expect(outcome).toEqual({ kind: 'failed', error: 'It did not answer in time.' })
})

test('a receiver that never comes to TLS is given up sooner', async () => {
  const outcome = await send({ url: `https://${await answering(() => undefined)}` })
  expect(outcome).toEqual({ kind: 'failed', error: 'It could not be reached (CONNECT_TIMEOUT).' })
})

test('an answer that never ends is taken by its first line, and cut off', async () => {
  let cut: (() => void) | undefined
  const isCut = new Promise<void>((resolve) => (cut = resolve))
  const at = await answering((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n')
    const more = (): void => void (socket.destroyed || socket.write('x'.repeat(16_384), more))
    more()
    socket.once('close', () => cut?.())
  })
  expect(await send({ url: `http://${at}` })).toEqual({ kind: 'accepted' })
  await isCut
})

test.each([
  ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', /^It could not be reached \(HPE_\w+\)\.$/],
  ['headers without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`, /^It could not be reached \(HPE_\w+\)\.$/],
])('what is said by whoever speaks %s does not come back', async (_, bytes, says) => {
  const outcome = await send({ url: `http://${await answering((socket) => void socket.write(bytes))}` })
  expect(outcome).toEqual({ kind: 'failed', error: expect.stringMatching(says) })
})

test('a receiver is who its certificate says, by the authority that is named', async () => {
  const certificates = await makeCertificates()
  onTestFinished(() => certificates.remove())
  const receiver = await startReceiverForTest({ tls: certificates.server })
  const env = { CA: certificates.ca, OTHER: certificates.otherCa }
  expect(await send({ url: receiver.url, env, ca: 'env:CA' })).toEqual({ kind: 'accepted' })
  const failed = { kind: 'failed', error: expect.stringMatching(/\((UNABLE_TO|SELF_SIGNED|ERR_TLS)/) }
  expect(await send({ url: receiver.url, env, ca: 'env:OTHER' })).toEqual(failed)
  expect(await send({ url: receiver.url, env })).toEqual(failed)
  const byAddress = receiver.url.replace('localhost', '127.0.0.1')
  expect(await send({ url: byAddress, env, ca: 'env:CA' })).toEqual(failed)
  expect(receiver.received).toHaveLength(1)
})

test('a server that ends does not count what it breaks off', async () => {
  const receiver = await startReceiverForTest()
  receiver.answer('hang')
  const stopping = new AbortController()
  const sending = send({ url: receiver.url, stopping: stopping.signal })
  await receiver.count(1)
  stopping.abort()
  expect(await sending).toEqual({ kind: 'stopped' })
})

test.each([
  ['600', seconds(600)],
  ['99999999', seconds(3_600)],
  ['-1', undefined],
  ['Wed, 21 Oct 2065 07:28:00 GMT', undefined],
  ['1e9', undefined],
])('of Retry-After: %s the pause is %s', async (text, pause) => {
  const receiver = await startReceiverForTest()
  receiver.answer({ status: 503, headers: { 'retry-after': text } })
  const outcome = await send({ url: receiver.url })
  expect(outcome).toEqual({ kind: 'failed', error: 'It answered 503.', ...(pause !== undefined && { pause }) })
})

test('what nothing is sent to is refused however it is written, and what a name stands for too', async () => {
  const addresses = [
    '169.254.169.254',
    '::ffff:169.254.169.254',
    'fe80::1',
    'febf::1',
    'fd00:ec2::254',
    '100.100.100.200',
  ]
  expect(addresses.filter((address) => !isRefused(address))).toEqual([])
  expect(['127.0.0.1', '10.0.0.1', '::1', 'fd00::1', '169.253.0.1', 'example.com'].filter(isRefused)).toEqual([])
  const written = [
    'https://169.254.169.254/',
    'https://2852039166',
    'https://0xa9.0xfe.43518',
    'https://[fe80::1]',
    'https://[::ffff:a9fe:a9fe]',
  ]
  expect(written.filter((url) => destinationProblem(url) === undefined)).toEqual([])
  const found = await new Promise((resolve) =>
    guardedLookup('localhost', { all: true }, (error, addresses) => resolve(error ?? addresses)),
  )
  expect(found).toContainEqual({ address: '127.0.0.1', family: 4 })
  const refused = await new Promise((resolve) =>
    // An address is its own name.
    guardedLookup('169.254.169.254', { all: false }, (error) => resolve(error)),
  )
  expect(refused).toMatchObject({ code: 'ADDRESS_REFUSED' })
})

test('plain HTTP leads to this machine and nowhere else', () => {
  const allowed = [
    'http://localhost:1',
    'http://127.0.0.1',
    'http://[::1]:8080/x',
    'https://10.0.0.1',
    'https://h.example.com',
  ]
  expect(allowed.filter((url) => destinationProblem(url) !== undefined)).toEqual([])
  const refused = [
    'http://h.example.com',
    'http://10.0.0.1',
    'http://localhost.example.com',
    'ftp://h',
    'file:///etc/passwd',
    'h',
    '',
  ]
  expect(refused.filter((url) => destinationProblem(url) === undefined)).toEqual([])
})
