/** A real `tidegate server`, in a process of its own as it is in life: what it costs is not mixed with what drives it. */

import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export type ServerProcess = {
  readonly url: string
  readonly pid: number
  /** Only at the first start on a store. */
  readonly firstToken: string | undefined
  /** What it logged at `warn` and above: a line of JSON each. */
  readonly complaints: () => readonly string[]
  /** Resident memory, in MB; `undefined`: the process is gone. */
  readonly rssMb: () => Promise<number | undefined>
  readonly exited: Promise<number | null>
  readonly stop: () => Promise<void>
}

/** As it ships: `bench/run.ts` builds it first. In a clone, tsx wraps every function that is made. */
const command = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url))
const tokenForm = /tdg_[A-Za-z0-9_-]{43}/
const startWithinMs = 60_000
const linesKept = 10_000

export async function startServerProcess(
  env: Readonly<Record<string, string>>,
  profileDir?: string,
): Promise<ServerProcess> {
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]
  const child = spawn(process.execPath, [...profiling, command, '--output', 'json', 'server'], {
    env: { PATH: process.env['PATH'], TIDEGATE_LISTEN: '127.0.0.1:0', TIDEGATE_LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const complaints: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < 10_000) said += text
    if (complaints.length < linesKept)
      complaints.push(...text.split('\n').filter((line) => line.startsWith('{"level"')))
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < 10_000) said += text
  })
  let stopping = false
  // What a process says that dies by itself says why, and a run without its server is worth nothing.
  let last = ''
  child.stderr.on('data', (text: string) => (last = (last + text).slice(-linesKept)))
  const exited = new Promise<number | null>((resolve) =>
    child.once('close', (code, signal) => {
      if (!stopping) process.stderr.write(`The server ended by itself (${code ?? signal}): ${last}\n`)
      resolve(code)
    }),
  )
  const gone = exited.then((code) => `The server ended with ${code}.`)
  const { pid } = child
  if (pid === undefined) throw new Error('The server could not be run.')
  const url = await Promise.race([answers(() => said), gone.then(() => undefined)])
  if (url === undefined) {
    child.kill('SIGKILL')
    throw new Error(`The server did not start: ${said}`)
  }
  return {
    url,
    pid,
    firstToken: tokenForm.exec(said)?.[0],
    complaints: () => complaints,
    rssMb: () => rssMb(pid),
    exited,
    async stop() {
      stopping = true
      child.kill('SIGTERM')
      const late = delay(30_000, 'late', { ref: false })
      if ((await Promise.race([exited, late])) === 'late') child.kill('SIGKILL')
      await exited
    },
  }
}

async function answers(said: () => string): Promise<string | undefined> {
  const until = Date.now() + startWithinMs
  while (Date.now() < until) {
    const url = /answers at (http\S+)/.exec(said())?.[1]
    // The token comes on the other stream, a moment later; on a store that was used before it never comes.
    if (url !== undefined) {
      for (let i = 0; i < 20 && !tokenForm.test(said()); i++) await delay(20)
      return url
    }
    await delay(20)
  }
  return undefined
}

async function rssMb(pid: number): Promise<number | undefined> {
  try {
    const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
    return kib === undefined ? undefined : Number(kib) / 1_024
  } catch {
    return undefined
  }
}
