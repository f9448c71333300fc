/** The gateway as several processes: each is what `gateway-main.ts` is, and connections are handed to them in turn. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { openDoor } from '@tidegate/gateway'
import type { GatewaySetup } from './gateway-main.ts'
import { type Answer, type Order, obey, type Standing } from './gateway-orders.ts'

export type WorkersSetup = GatewaySetup & { readonly workers: number }

async function start({ workers, ...setup }: WorkersSetup): Promise<Standing> {
  const processes: ChildProcess[] = []
  for (let worker = 0; worker < workers; worker++) {
    processes.push(await startOne({ ...setup, share: { worker, of: workers } }))
  }
  let count = 0
  const door = await openDoor({ host: '127.0.0.1', port: 0 }, (client) => {
    processes[count++ % workers]?.send({ is: 'client' }, client)
    return true
  })
  const tellAll = (order: Order): void => {
    for (const one of processes) one.send(order)
  }
  return {
    port: door.port,
    cut: (cut) => tellAll({ do: 'cut', ...cut }),
    async weigh(collect) {
      const asked = processes.map((one) => ask(one, { do: 'weigh', collect }))
      return (await Promise.all(asked))
        .map((answer) => ('weight' in answer ? answer.weight : undefined))
        .filter(isThere)
    },
    async stop() {
      door.close()
      const exits = processes.map((one) => once(one, 'exit'))
      tellAll({ do: 'stop' })
      await Promise.all(exits)
    },
  }
}

const isThere = <T>(value: T | undefined): value is T => value !== undefined

async function startOne(setup: GatewaySetup): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('./gateway-main.ts', import.meta.url)), [], { execArgv: process.execArgv })
  // What is said before it listens is lost.
  await once(child, 'message')
  await ask(child, { do: 'start', setup })
  return child
}

async function ask(child: ChildProcess, order: Order): Promise<Answer> {
  const answered = once(child, 'message')
  child.send(order)
  const [answer] = (await answered) as [Answer]
  return answer
}

obey((setup) => start(setup as WorkersSetup))
