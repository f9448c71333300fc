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
  readonly kill: (signal: NodeJS.Signals) => void
  /** The first that it has said on stderr, or its terminal, as soon as it has. @throws where it ends without */
  readonly said: (what: RegExp) => Promise<RegExpExecArray>
  /** The same on stdout. */
  readonly printed: (what: RegExp) => Promise<RegExpExecArray>
}

export type CommandLine = {
  readonly home: string
  readonly start: (args: readonly string[], env?: Readonly<Record<string, string>>) => Running
  readonly run: (...args: readonly string[]) => Promise<Ran>
  /** Where a person sits: on a terminal of its own, which stdout and stderr share. */
  readonly startAtTerminal: (args: readonly string[], env?: Readonly<Record<string, string>>) => Running
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
  const path = `${programs}:${process.env['PATH']}`
  const begin = (command: readonly [string, ...string[]], more: Readonly<Record<string, string>>): ChildProcess => {
    const [file, ...args] = command
    const child = spawn(file, args, {
      env: { PATH: path, HOME: home, TIDEGATE_URL: url, NO_COLOR: '1', ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    return child
  }
  const ours = (args: readonly string[]): [string, ...string[]] => [
    process.execPath,
    '--conditions=source',
    '--import',
    'tsx',
    main,
    ...args,
  ]
  const start: CommandLine['start'] = (args, more = {}) => follow(begin(ours(args), more), 'stderr')
  return {
    home,
    start,
    startAtTerminal: (args, more = {}) =>
      follow(begin(['script', '-qefc', ours(args).map(quoted).join(' '), '/dev/null'], more), 'stdout'),
    run: (...args) => start(args).done,
    addProgram(name, source) {
      const file = join(programs, name)
      writeFileSync(file, `#!${process.execPath}\n${source}\n`)
      chmodSync(file, 0o755)
      return file
    },
  }
}

const quoted = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`

function follow(child: ChildProcess, heard: 'stdout' | 'stderr'): Running {
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
  const wait = (where: 'stdout' | 'stderr', what: RegExp): Promise<RegExpExecArray> =>
    new Promise((found, failed) => {
      const look = (): void => {
        const match = what.exec(printed[where])
        if (match) found(match)
      }
      listeners.add(look)
      look()
      void done.then((ran) => failed(new Error(`It ended without saying ${what}: ${ran[heard]}`)))
    })
  const kill: Running['kill'] = (signal) => void child.kill(signal)
  return { done, kill, said: (what) => wait(heard, what), printed: (what) => wait('stdout', what) }
}
