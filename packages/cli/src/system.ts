/** The context of a real process. */

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir, hostname, tmpdir } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { createClient } from '@tidegate/api'
import { instant } from '@tidegate/core'
import { z } from 'zod'
import type { Context } from './context.ts'
import { errorCode } from './private-file.ts'
import type { Sink } from './streams.ts'

export async function systemContext(): Promise<Context> {
  const { stdin, stdout, stderr, env } = process
  for (const stream of [stdout, stderr]) tolerateClosing(stream)
  return {
    version: await packageVersion(),
    env,
    home: homedir(),
    host: hostname(),
    platform: process.platform,
    temporary: tmpdir(),
    stdin,
    stdout,
    stderr,
    childStdio: 'inherit',
    fetch,
    createClient,
    spawn: (file, args, options) => spawn(file, [...args], options),
    now: () => instant(Date.now()),
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    sleep,
    random: randomBytes,
    onSignal: (signal, listener) => {
      process.on(signal, listener)
      return () => process.off(signal, listener)
    },
  }
}

/** Whoever reads may have seen enough (`tidegate audit tail | head`): no fault, and no reason to leave a grant open. */
function tolerateClosing(stream: Sink): void {
  stream.on('error', (error) => {
    if (errorCode(error) !== 'EPIPE') throw error
  })
}

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, signal && { signal })
  } catch (error) {
    if (signal?.aborted !== true) throw error
  }
}

/** The same place from `src` and from `dist`. */
async function packageVersion(): Promise<string> {
  const file = new URL('../package.json', import.meta.url)
  return z.object({ version: z.string() }).parse(JSON.parse(await readFile(file, 'utf8'))).version
}
