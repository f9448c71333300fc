/** Processes of the benchmark: what stands in between (the gateway, a bare relay), and what stands in for a target. */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { GatewaySetup } from './gateway-main.ts'
import type { Answer, Cut, Order, Weight } from './gateway-orders.ts'
import type { RelaySetup } from './gateway-relay.ts'
import type { StandInSetup } from './gateway-target.ts'
import type { WorkersSetup } from './gateway-workers.ts'
import type { BenchOptions } from './harness.ts'

export type Middle = {
  readonly host: string
  readonly port: number
  readonly weigh: (how?: { readonly collect: boolean }) => Promise<Weight>
  readonly cut: (cut: Cut) => void
  readonly stop: () => Promise<void>
}

type Profiled = Pick<BenchOptions, 'profileDir'>

export const startRelay = (setup: RelaySetup, options: Profiled): Promise<Middle> =>
  startMiddle('./gateway-relay.ts', setup, options)

export const startGateway = (setup: GatewaySetup, options: Profiled): Promise<Middle> =>
  startMiddle('./gateway-main.ts', setup, options)

/** Connections are handed to so many processes in turn. */
export const startWorkers = (setup: WorkersSetup, options: Profiled): Promise<Middle> =>
  startMiddle('./gateway-workers.ts', setup, options)

export const startStandIn = (setup: StandInSetup): Promise<Middle> => startMiddle('./gateway-target.ts', setup, {})

type Setup = RelaySetup | GatewaySetup | WorkersSetup | StandInSetup

async function startMiddle(file: string, setup: Setup, { profileDir }: Partial<Profiled>): Promise<Middle> {
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [], {
    // Without the condition that leads to the TypeScript: packages are those in `dist`, as they ship.
    execArgv: [...profiling, '--expose-gc', '--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  await Promise.race([once(child, 'message'), exited])
  const tell = (order: Order): void => void child.send(order)
  const ask = async (order: Order): Promise<Answer> => {
    const gone = exited.then(([code]): never => {
      throw new Error(`${file} ended by itself with ${String(code)}.`)
    })
    tell(order)
    const [answer] = (await Promise.race([once(child, 'message'), gone])) as [Answer]
    return answer
  }
  const listening = await ask({ do: 'start', setup })
  if (!('listening' in listening)) throw new Error(`${file} did not start.`)
  return {
    host: '127.0.0.1',
    port: listening.listening,
    async weigh({ collect } = { collect: false }) {
      const answer = await ask({ do: 'weigh', collect })
      if (!('weight' in answer)) throw new Error(`${file} did not say what it weighs.`)
      return answer.weight
    },
    cut: (cut) => tell({ do: 'cut', ...cut }),
    async stop() {
      if (child.connected) tell({ do: 'stop' })
      await exited
    },
  }
}
