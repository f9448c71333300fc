import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setInterval } from 'node:timers/promises'
import { promisify } from 'node:util'
import { embeddedError, hasCode } from './faults.ts'
import { pollIntervalMs, stopSteps } from './limits.ts'

const run = promisify(execFile)

/**
 * What identifies a process beyond its number, which the system uses again.
 * `started` is an opaque mark, to be compared for equality only.
 */
export interface ProcessFacts {
  readonly started: string
  readonly command: string
}

/** `unknown`: there is such a process, and the system does not let us see what it is. */
export type Sighting = { readonly state: 'gone' | 'unknown' } | ({ readonly state: 'running' } & ProcessFacts)

export type StopMode = keyof typeof stopSteps

export async function sightProcess(pid: number): Promise<Sighting> {
  if (!existsProcess(pid)) return { state: 'gone' }
  return process.platform === 'linux' ? sightInProc(pid) : sightWithPs(pid)
}

/** A process as seen by whoever stops it. */
export interface Stoppable {
  readonly pid: number
  signal(name: NodeJS.Signals): void
  /** Whether it was gone before so many milliseconds had passed. */
  goneWithin(waitMs: number): Promise<boolean>
}

/**
 * Takes a process through the steps of `mode` until it is gone.
 * @throws EmbeddedError `stop-failed`
 */
export async function stopProcess(target: Stoppable, mode: StopMode): Promise<void> {
  for (const { signal, waitMs } of stopSteps[mode]) {
    target.signal(signal)
    if (await target.goneWithin(waitMs)) return
  }
  throw embeddedError('stop-failed', { pid: target.pid })
}

/** A process that is not our child tells us nothing when it exits, so it is looked at, for a bounded time. */
export function strangerWith(pid: number): Stoppable {
  return {
    pid,
    signal: (name) => sendSignal(pid, name),
    async goneWithin(waitMs) {
      const deadline = performance.now() + waitMs
      for await (const _ of setInterval(pollIntervalMs)) {
        if ((await sightProcess(pid)).state === 'gone') return true
        if (performance.now() > deadline) break
      }
      return false
    },
  }
}

function existsProcess(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error
  }
}

async function sightInProc(pid: number): Promise<Sighting> {
  try {
    const [stat, command, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ])
    // The second field is the program's name in brackets, and may hold anything, brackets and spaces too.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const startedInTicksSinceBoot = fields[18]
    if (state === 'Z' || state === 'X') return { state: 'gone' }
    if (startedInTicksSinceBoot === undefined) return { state: 'unknown' }
    const started = `${boot.trim()}/${startedInTicksSinceBoot}`
    return { state: 'running', started, command: command.replaceAll('\0', ' ').trim() }
  } catch {
    return existsProcess(pid) ? { state: 'unknown' } : { state: 'gone' }
  }
}

async function sightWithPs(pid: number): Promise<Sighting> {
  try {
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }
    const columns = ['-o', 'state=', '-o', 'lstart=', '-o', 'command=']
    const { stdout } = await run('ps', ['-ww', ...columns, '-p', String(pid)], { env })
    const match = /^\s*(?<state>\S+)\s+(?<started>\w+\s+\w+\s+\d+\s+[\d:]+\s+\d+)\s+(?<command>.*)$/m.exec(stdout)
    const { state, started, command } = match?.groups ?? {}
    if (state?.startsWith('Z')) return { state: 'gone' }
    return started === undefined || command === undefined
      ? { state: 'unknown' }
      : { state: 'running', started, command: command.trim() }
  } catch {
    return existsProcess(pid) ? { state: 'unknown' } : { state: 'gone' }
  }
}
