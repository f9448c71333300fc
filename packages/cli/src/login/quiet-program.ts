/** A program that is asked something: what it says is read, and nothing of it reaches the terminal. */

import type { Context } from '../context.ts'
import { limits, patience } from '../limits.ts'

type Asked = { readonly program: string; readonly args: readonly string[]; readonly stdin: string }

/** @returns `code` `undefined` where it could not be run, or took too long */
export function runQuietly(
  { spawn }: Pick<Context, 'spawn'>,
  { program, args, stdin }: Asked,
): Promise<{ readonly code: number | undefined; readonly stdout: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], timeout: patience.keychainMs })
    let stdout = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(0, limits.ownFileBytes)
    })
    child.once('error', () => resolve({ code: undefined, stdout: '' }))
    child.once('close', (code) => resolve({ code: code ?? undefined, stdout }))
    // One that reads nothing closes its end: what it says counts, not that.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(stdin)
  })
}
