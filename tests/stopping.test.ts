/** A server that is told to stop while people talk to it. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { clusterOf } from './support/databases.ts'
import { startProxyForTest } from './support/proxy.ts'
import { createWorldForTest } from './support/tidegate.ts'

test('what comes in on an open connection during a stop is answered, by us', async () => {
  const proxy = await startProxyForTest(clusterOf('store'))
  const world = await createWorldForTest({ storeAt: proxy })
  const { hostname, port } = new URL(world.server.url)
  const socket = connect(Number(port), hostname)
  let answers = ''
  socket.setEncoding('utf8').on('data', (text: string) => (answers += text))
  const ask = (): unknown =>
    socket.write(`GET /v1/me HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${world.tokenOf('alice')}\r\n\r\n`)
  const asked = proxy.holdRequest('configuration_version')
  ask()
  await asked
  const stopping = world.server.stop()
  ask()
  proxy.mend()
  await once(socket, 'close')
  await stopping
  expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2)
  expect(answers.match(/"principal":"user:alice"/g)).toHaveLength(2)
})

test('a connection on which nothing was asked does not keep a server from stopping', async () => {
  const world = await createWorldForTest()
  const { hostname, port } = new URL(world.server.url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  const closed = once(socket, 'close')
  await world.server.stop()
  await closed
})
