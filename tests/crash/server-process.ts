/** A real `tidegate server` in a process of its own, that can be killed at any moment and started again where it was. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { openSync, closeSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { eventually } from './eventually.ts'
import { whenWeEnd } from './will.ts'

export type ServerProcess = {
  readonly name: string
  readonly url: string
  /** Of the present or the last process. */
  readonly pid: () => number
  /** It runs, as far as anyone can see: a paused one does too. */
  readonly isUp: () => boolean
  /** Runs it. Resolves when it answers. */
  readonly start: () => Promise<void>
  /** Runs it, and waits for nothing. */
  readonly launch: () => void
  /** Resolves when it answers, or throws when it ends instead. */
  readonly answers: () => Promise<void>
  readonly kill: () => Promise<void>
  /** In order, as an operator does it. @throws when it takes longer than anyone would wait */
  readonly stop: () => Promise<void>
  readonly signal: (signal: 'SIGSTOP' | 'SIGCONT') => void
  /** It is to end by itself. Resolves with its code. */
  readonly ends: (withinMs: number) => Promise<number | null>
  /** How often it ended without being asked or killed. */
  readonly deaths: () => number
  /** Everything it wrote, of all its lives. */
  readonly written: () => string
}

type Options = {
  readonly name: string
  readonly logFile: string
  readonly env: Readonly<Record<string, string>>
  readonly args?: readonly string[]
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const command = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const startWithinMs = 120_000
const stopWithinMs = 40_000

export async function createServerProcess({ name, logFile, env, args = [] }: Options): Promise<ServerProcess> {
  const port = await quietPort()
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  let over: Promise<number | null> = Promise.resolve(null)
  let deaths = 0
  let asked = false

  const launch = (): void => {
    asked = false
    const mine = spawnServer(['--output', 'json', 'server', '--listen', `127.0.0.1:${port}`, ...args], { env, logFile })
    child = mine
    over = once(mine, 'exit').then(([code]) => {
      if (!asked) deaths++
      return code as number | null
    })
  }
  const isUp = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null
  const answers = async (): Promise<void> => {
    await eventually({ what: `${name} answers`, withinMs: startWithinMs }, async () => {
      if (!isUp()) return 'gone'
      const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5_000) })
      return response.ok && 'well'
    })
    if (!isUp()) throw new Error(`${name} ended instead of answering: ${tail(logFile)}`)
  }
  const end = async (signal: 'SIGKILL' | 'SIGTERM', withinMs: number): Promise<void> => {
    asked = true
    child?.kill(signal)
    await eventually({ what: `${name} is gone after ${signal}`, withinMs }, () => !isUp())
    await over
  }
  return {
    name,
    url,
    pid: () => child?.pid ?? 0,
    isUp,
    launch,
    answers,
    start: async () => {
      launch()
      await answers()
    },
    kill: () => end('SIGKILL', 10_000),
    stop: () => end('SIGTERM', stopWithinMs),
    signal: (signal) => void child?.kill(signal),
    async ends(withinMs) {
      asked = true
      await eventually({ what: `${name} ends by itself`, withinMs }, () => !isUp())
      return over
    },
    deaths: () => deaths,
    written: () => readFileSync(logFile, 'utf8'),
  }
}

type Spawning = Pick<Options, 'env' | 'logFile'>

function spawnServer(args: readonly string[], { env, logFile }: Spawning): ChildProcess {
  const log = openSync(logFile, 'a')
  const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', command, ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], TIDEGATE_LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  if (child.pid !== undefined) child.once('exit', whenWeEnd('kill -KILL "$1"', [child.pid]))
  return child
}

/** Of those that the system gives to nobody by itself, so that it is still free when a killed server comes back. */
async function quietPort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!free) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

const tail = (file: string): string => readFileSync(file, 'utf8').slice(-2_000)
