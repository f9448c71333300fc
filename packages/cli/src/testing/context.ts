/** A context in which nothing is real but files, sockets and programs: the clock moves when it is slept on. */

import { EventEmitter } from 'node:events'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { createClient } from '@tidegate/api'
import type { Millis } from '@tidegate/core'
import { after } from '@tidegate/core'
import { onTestFinished } from 'vitest'
import type { Context, Environment } from '../context.ts'
import { runCommandLine } from '../run.ts'
import type { ApiServer, Handlers } from './api-server.ts'
import { startApiServer } from './api-server.ts'
import { noon, token } from './things.ts'

type Terminal = PassThrough & { isTTY?: boolean }

export type Setup = {
  readonly env?: Environment
  /** What is typed or piped in. */
  readonly stdin?: string
  /** Whether a person sits at a terminal. */
  readonly tty?: boolean
  /** Called at each sleep, with how many there were before. */
  readonly onSleep?: (count: number) => void
}

export type Harness = {
  readonly context: Context
  readonly home: string
  readonly signals: EventEmitter
  readonly stdin: Terminal
  readonly stdout: () => string
  readonly stderr: () => string
  readonly run: (...argv: readonly string[]) => Promise<number>
}

export async function harness(setup: Setup = {}): Promise<Harness> {
  const home = await mkdtemp(join(tmpdir(), 'tidegate-cli-test-'))
  onTestFinished(async () => rm(home, { recursive: true, force: true }))
  const stdin: Terminal = new PassThrough()
  const [stdout, stderr] = [capture(setup.tty), capture(setup.tty)]
  if (setup.tty === true) Object.assign(stdin, { isTTY: true, setRawMode: () => stdin })
  if (setup.stdin !== undefined) stdin.write(setup.stdin)
  if (setup.tty !== true) stdin.end()
  const signals = new EventEmitter()
  let now = noon
  let sleeps = 0
  const context: Context = {
    version: '0.0.0-test',
    env: { PATH: process.env['PATH'], ...setup.env },
    home,
    host: 'laptop',
    platform: 'linux',
    temporary: home,
    stdin,
    stdout: stdout.sink,
    stderr: stderr.sink,
    childStdio: 'ignore',
    fetch,
    createClient,
    spawn: (file, args, options) => spawn(file, [...args], options),
    now: () => now,
    timeZone: 'UTC',
    sleep: async (ms) => {
      now = after(now, ms as Millis)
      setup.onSleep?.(sleeps++)
      await new Promise((resolve) => setImmediate(resolve))
    },
    random: (count) => new Uint8Array(count).fill(7),
    onSignal: (signal, listener) => {
      signals.on(signal, listener)
      return () => signals.off(signal, listener)
    },
  }
  return {
    context,
    home,
    signals,
    stdin,
    stdout: stdout.text,
    stderr: stderr.text,
    run: (...argv) => runCommandLine(context, argv),
  }
}

function capture(isTTY = false) {
  let printed = ''
  const sink = new Writable({
    write(chunk, _encoding, done) {
      printed += String(chunk)
      done()
    },
  })
  return { sink: Object.assign(sink, { isTTY }), text: () => printed }
}

/** A harness that is logged in to a stand-in for the server. */
export async function harnessWithServer(
  handlers: Handlers,
  setup: Setup = {},
): Promise<Harness & { readonly server: ApiServer }> {
  const server = await startApiServer(handlers)
  onTestFinished(server.close)
  const env = { TIDEGATE_URL: server.url, TIDEGATE_TOKEN: token, ...setup.env }
  return { ...(await harness({ ...setup, env })), server }
}
