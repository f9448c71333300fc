/** The command line as people run it: a process of its own, with a home of its own. */

import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string }

export type Running = {
  readonly done: Promise<Ran>
  /** The first that it has said on stderr, as soon as it has. @throws where it ends without */
  readonly said: (what: RegExp) => Promise<RegExpExecArray>
}

export type CommandLine = {
  readonly home: string
  readonly start: (args: readonly string[], env?: Readonly<Record<string, string>>) => Running
  readonly run: (...args: readonly string[]) => Promise<Ran>
  /** A program that it finds by its name. */
  readonly addProgram: (name: string, source: string) => string
}

const main = resolve('packages/cli/src/main.ts')

/** @param env beyond where its home is; where there is a keychain or a display, it does not know of it unless told */
export function commandLineFor(url: string, env: Readonly<Record<string, string>> = {}): CommandLine {
  const home = mkdtempSync(join(tmpdir(), 'tidegate-home-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  const programs = join(home, 'bin')
  mkdirSync(programs)
  const start: CommandLine['start'] = (args, more = {}) => {
    const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', main, ...args], {
      env: { PATH: `${programs}:${process.env['PATH']}`, HOME: home, TIDEGATE_URL: url, ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    return follow(child)
  }
  return {
    home,
    start,
    run: (...args) => start(args).done,
    addProgram(name, source) {
      const file = join(programs, name)
      writeFileSync(file, `#!${process.execPath}\n${source}\n`)
      chmodSync(file, 0o755)
      return file
    },
  }
}

function follow(child: ChildProcess): Running {
  const printed = { stdout: '', stderr: '' }
  const listeners = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text
      for (const listener of listeners) listener()
    })
  const done = new Promise<Ran>((ended, failed) => {
    child.once('error', failed)
    child.once('close', (code) => ended({ code: code ?? -1, ...printed }))
  })
  return {
    done,
    said: (what) =>
      new Promise((found, failed) => {
        const look = (): void => {
          const match = what.exec(printed.stderr)
          if (match) found(match)
        }
        listeners.add(look)
        look()
        void done.then(({ stderr }) => failed(new Error(`It ended without saying ${what}: ${stderr}`)))
      }),
  }
}
