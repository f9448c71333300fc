/** Another certificate takes the place of the one before while the server answers. */

import { copyFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { createLogger, startServer } from '@tidegate/server'
import { expect, onTestFinished, test } from 'vitest'
import { makeCertificates } from '../packages/gateway/src/postgres/testing/certificates.ts'
import { makeScratchFolder } from './support/folders.ts'
import { createWorldForTest } from './support/tidegate.ts'

async function certificateAt(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  try {
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    return socket.getPeerCertificate().fingerprint256
  } finally {
    socket.destroy()
  }
}

const healthAt = (port: number): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: '/healthz', rejectUnauthorized: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
      .once('error', reject)
      .end()
  })

test('another certificate is taken from its files once both go together, and until then the one before stays', async () => {
  const world = await createWorldForTest()
  const [before, after] = await Promise.all([makeCertificates(), makeCertificates()])
  onTestFinished(async () => void (await Promise.all([before.remove(), after.remove()])))
  const folder = makeScratchFolder('tidegate-certificate-')
  const tls = { certFile: join(folder, 'server.crt'), keyFile: join(folder, 'server.key') }
  const put = (from: string, name: string): Promise<void> => copyFile(join(from, name), join(folder, name))
  await Promise.all([put(before.folder, 'server.crt'), put(before.folder, 'server.key')])
  const settings = { ...world.settings, tls }
  const server = await startServer({ settings, env: {}, logger: createLogger('silent'), background: false })
  onTestFinished(() => server.stop())
  const port = Number(new URL(server.url).port)
  const first = await certificateAt(port)
  await put(after.folder, 'server.crt')
  await server.drain()
  expect(await certificateAt(port)).toBe(first)
  expect(await healthAt(port)).toBe(200)
  await put(after.folder, 'server.key')
  await server.drain()
  expect(await certificateAt(port)).not.toBe(first)
  expect(await healthAt(port)).toBe(200)
})
