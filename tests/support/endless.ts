/** A server whose answers never end, and callers that give them up when their garbage has been collected. */

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished } from 'vitest'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** @property left how many answers nobody reads any more */
export type Endless = { readonly server: Server; readonly url: string; readonly left: () => number }

export async function startEndlessForTest(): Promise<Endless> {
  let left = 0
  const server = createServer((_, answer) => {
    const more = setInterval(() => answer.write('1\n'), 5)
    answer.on('close', () => {
      clearInterval(more)
      left += 1
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { server, url: `http://127.0.0.1:${port}`, left: () => left }
}

/** What is asked for by `ask` fails with what it was given up for. */
export async function givenUp({ server }: Endless, ask: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const giving = new AbortController()
  const came = once(server, 'request')
  const asked = ask(giving.signal)
  await came
  for (let turn = 0; turn < 10; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
  }
  giving.abort(new Error('given up'))
  await expect(asked).rejects.toThrow('given up')
}
