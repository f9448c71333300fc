/** A process that is one of the workers of a gateway. Whoever started it says as what, and ends it. */

import { Socket } from 'node:net'
import { type RunningProcess, startProcess } from '../one-process.ts'
import type { Client, OfPrimary, OfWorker } from './contract.ts'
import { createTalk, type Port } from './talk.ts'

let running: RunningProcess | undefined

const ours: OfWorker = {
  async start({ options, gateway, share, mockSecret }) {
    const log = (event: string, facts: Readonly<Record<string, unknown>>): void =>
      primary.tell('log', [event, { worker: share.worker, ...facts }])
    running = await startProcess(
      { ...options, log },
      {
        share,
        mockSecret: Buffer.from(mockSecret, 'base64'),
        cancel: ({ processId, key }) => primary.ask('cancel', { processId, key: key.toString('base64') }),
        reach: async () => ({ gateway, signIn: ({ now }) => primary.ask('signIn', { now }) }),
      },
    )
    void running.lost.then((why) => primary.tell('lost', why))
  },
  cancel: async ({ processId, key }) => running?.cancel({ processId, key: Buffer.from(key, 'base64') }),
  stop: async () => running?.stop(),
}

const port: Port = {
  send: (message) => void process.send?.(message),
  onMessage: (hear) => void process.on('message', hear),
  onOver: (end) => void process.on('disconnect', end),
}
const primary = createTalk<OfPrimary>(port, ours)

process.on('message', (message: Client, client) => {
  if (message.is !== 'client') return
  // One that has left on the way is none.
  if (client instanceof Socket) {
    if (running === undefined) client.destroy()
    else running.receive(client)
  }
  primary.tell('taken', message.number)
})
// Nobody else started this, and nobody else ends it: what it still does is wanted by nobody.
// oxlint-disable-next-line no-restricted-properties -- there is no command line here whose outermost line would
process.on('disconnect', () => process.exit())
// A terminal sends these to all processes at once: that it is over is for whoever started it to say.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
primary.tell('ready', null)
