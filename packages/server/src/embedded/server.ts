import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Account } from './account.ts'
import { asAccount } from './account.ts'
import { bareEnvironment } from './cluster.ts'
import { embeddedError } from './faults.ts'
import { faultLogLines, startTimeoutMs } from './limits.ts'
import { createLogTail } from './log.ts'
import { type StopMode, type Stoppable, stopProcess } from './process.ts'
import { startWatchdog } from './watchdog.ts'

/** What a server is started from, once everything it stands on has been prepared. */
export interface Launch {
  readonly postgres: string
  readonly cluster: string
  readonly account: Account | undefined
  readonly settings: Readonly<Record<string, string>>
  readonly log: (line: string) => void
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Server {
  readonly port: number
  readonly pid: number
  readonly exited: Promise<Exit>
  stop(mode: StopMode): Promise<void>
}

/** A server between being run and being ready. */
interface Starting {
  readonly child: ServerProcess
  readonly exited: Promise<Exit>
  readonly port: number
  readonly log: (line: string) => void
}

type ServerProcess = ChildProcessByStdio<null, null, Readable>

/** Resolves when the server accepts connections on 127.0.0.1. */
export async function startServer(launch: Launch, port: number): Promise<Server> {
  const child = spawn(launch.postgres, serverArguments(launch, port), {
    ...asAccount(launch.account),
    detached: true,
    cwd: '/',
    env: bareEnvironment,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = exitOf(child)
  const { pid } = child
  if (pid === undefined) return neverStarted(child)
  const watchdog = startWatchdog(pid, launch.account)
  child.once('exit', () => watchdog.dismiss())
  const target = asStoppable({ child, pid, exited })
  try {
    await readiness({ child, exited, port, log: launch.log })
  } catch (error) {
    await stopProcess(target, 'immediate')
    throw error
  }
  return { port, pid, exited, stop: (mode) => stopProcess(target, mode) }
}

function serverArguments({ cluster, settings }: Launch, port: number): readonly string[] {
  const all = {
    ...settings,
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
  }
  return ['-D', cluster, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}

/** Passes the log on, and settles at the line that says the server is ready, or at what came instead. */
async function readiness({ child, exited, port, log }: Starting): Promise<void> {
  const tail = createLogTail(faultLogLines)
  const timeout = new AbortController()
  const late = delay(startTimeoutMs, undefined, { signal: timeout.signal })
  const cause = await new Promise<string | undefined>((resolve) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      log(line)
      tail.push(line)
      if (line.includes('database system is ready to accept connections')) resolve(undefined)
    })
    void exited.then(({ code, signal }) => resolve(`it ended with ${signal ?? `code ${code}`}`))
    late.then(
      () => resolve(`it was not ready after ${startTimeoutMs / 1000} seconds`),
      () => {},
    )
  })
  timeout.abort()
  if (cause !== undefined) throw startFault(cause, tail.lines(), port)
}

function startFault(cause: string, lines: readonly string[], port: number): Error {
  return lines.some((line) => line.includes('Address already in use'))
    ? embeddedError('port-in-use', { port })
    : embeddedError('start-failed', { cause, lines })
}

/** The system could not run the program at all, and says so in an event. */
function neverStarted(child: ServerProcess): Promise<never> {
  return new Promise((_, reject) => {
    child.once('error', (error) => reject(embeddedError('start-failed', { cause: error.message, lines: [] })))
  })
}

function asStoppable(server: { child: ServerProcess; pid: number; exited: Promise<Exit> }): Stoppable {
  return {
    pid: server.pid,
    // Node sends nothing to a child that has exited, whose number may be another's by now.
    signal: (name) => void server.child.kill(name),
    goneWithin: (waitMs) => settlesWithin(server.exited, waitMs),
  }
}

function exitOf(child: ServerProcess): Promise<Exit> {
  // A signal that could not be sent comes as an error event; whoever sent it waits for the exit anyway.
  child.on('error', () => {})
  // Closed is later than exited: the last of the server's processes is gone too, and the last line of its log is here.
  return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })))
}

async function settlesWithin(promise: Promise<unknown>, waitMs: number): Promise<boolean> {
  const timeout = new AbortController()
  const late = delay(waitMs, false, { signal: timeout.signal })
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    late.catch(() => {})
    timeout.abort()
  }
}
