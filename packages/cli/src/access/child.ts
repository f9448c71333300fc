/** Running a program that holds a credential. */

import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Invocation } from '../context.ts'
import { exitOfSignal, programExits } from '../exit-codes.ts'
import type { CaughtSignal, Interruption } from '../interruption.ts'
import { errorCode } from '../private-file.ts'

type Program = {
  readonly file: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly interruption: Interruption
  /** Which of the signals that we get are passed on. */
  readonly passOn: (signal: CaughtSignal) => boolean
}

/** Runs it to its end. @returns its exit code, or 128 and the number of the signal that ended it */
export function runProgram(invocation: Invocation, program: Program): Promise<number> {
  const { file, args, env, interruption, passOn } = program
  return new Promise((resolve) => {
    const child = invocation.spawn(file, args, { env, stdio: invocation.childStdio })
    const stopListening = interruption.listen((signal) => {
      if (passOn(signal)) child.kill(signal)
    })
    child.once('error', (error) => {
      // Also emitted for a signal that could not be sent; then the program runs, and its exit is still to come.
      if (child.pid !== undefined) return
      stopListening()
      invocation.out.note(`${file} could not be started: ${startFailure(error)}.`)
      resolve(errorCode(error) === 'ENOENT' ? programExits.notFound : programExits.notExecutable)
    })
    child.once('exit', (code, signal) => {
      stopListening()
      resolve(code ?? (signal === null ? 1 : exitOfSignal(signal)))
    })
  })
}

/** The code alone: Node's message repeats the arguments, which may hold what is nobody else's business. */
const startFailure = (error: Error): string => errorCode(error) ?? 'an unknown error'

/** Where the program is; looked up as the system does it, so that nothing is asked for in vain. */
export async function findProgram(name: string, path: string | undefined): Promise<string | undefined> {
  const candidates = name.includes('/') ? [name] : (path ?? '').split(delimiter).map((dir) => join(dir || '.', name))
  for (const candidate of candidates) {
    if (await isExecutable(candidate)) return candidate
  }
  return undefined
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK)
    return (await stat(file)).isFile()
  } catch {
    return false
  }
}

/**
 * Ctrl-C at a terminal reaches every program in the foreground by itself; passed on it would come twice, and twice
 * means something else to many programs. From anywhere else it reaches us alone.
 */
export const unlessFromTerminal =
  ({ stdin, stdout, stderr }: Pick<Invocation, 'stdin' | 'stdout' | 'stderr'>) =>
  (signal: CaughtSignal): boolean =>
    !(signal === 'SIGINT' || signal === 'SIGQUIT') || ![stdin, stdout, stderr].some(({ isTTY }) => isTTY === true)
