/** Questions to the person at the terminal. They go to stderr: stdout is for results. */

import { createInterface } from 'node:readline'
import type { Context } from './context.ts'
import { Failure } from './failure.ts'
import { limits } from './limits.ts'

/** `cancelled`: an abort is an answer that was not given. */
type Terminal = Pick<Context, 'stdin' | 'stderr'> & { readonly cancelled?: AbortSignal }

/**
 * One line, trimmed and read; asked again for what cannot be read. `undefined` when they would rather not say (end of
 * input, Ctrl-C).
 */
function askFor<T>(
  { stdin, stderr, cancelled }: Terminal,
  question: string,
  read: (answer: string) => T | undefined,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stdin, output: stderr, terminal: stdin.isTTY === true })
    const settle = (answer: T | undefined): void => {
      resolve(answer)
      lines.close()
    }
    const put = (): void =>
      lines.question(question, (text) => {
        const answer = read(text.trim())
        if (answer === undefined) put()
        else settle(answer)
      })
    cancelled?.addEventListener('abort', () => settle(undefined), { once: true })
    lines.on('close', () => settle(undefined))
    lines.on('SIGINT', () => {
      stderr.write('\n')
      settle(undefined)
    })
    put()
  })
}

export const ask = async (terminal: Terminal, question: string): Promise<string | undefined> =>
  askFor(terminal, question, (answer) => answer)

/** No answer, an empty one included, is the default; what is neither yes nor no is asked again. */
export async function confirm(
  terminal: Terminal,
  question: string,
  { byDefault }: { readonly byDefault: boolean },
): Promise<boolean> {
  const answer = await askFor(terminal, `${question} ${byDefault ? '[Y/n]' : '[y/N]'} `, (text) => {
    if (text === '') return byDefault
    return /^y(es)?$/i.test(text) ? true : /^no?$/i.test(text) ? false : undefined
  })
  return answer ?? byDefault
}

/** A secret from the terminal, not shown, or the whole of a piped stdin. Never from an argument list. */
export const readSecret = async (terminal: Terminal, question: string): Promise<string> =>
  (terminal.stdin.isTTY === true ? await readHidden(terminal, question) : await readPiped(terminal)).trim()

async function readPiped({ stdin }: Terminal): Promise<string> {
  let text = ''
  for await (const chunk of stdin) {
    text += String(chunk)
    if (text.length > limits.tokenLength) throw new Failure('usage', 'There is more on stdin than a token.')
  }
  return text
}

const keys = { enter: '\r\n\u0004', interrupt: '\u0003', erase: '\u007f\b' } as const

function readHidden({ stdin, stderr }: Terminal, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const stop = (): void => {
      stdin.off('data', onData)
      stdin.setRawMode?.(false)
      stdin.pause()
      stderr.write('\n')
    }
    const onData = (chunk: Buffer | string): void => {
      for (const key of String(chunk)) {
        if (key === keys.interrupt) {
          stop()
          return reject(new Failure('usage', 'No token was given.'))
        }
        if (keys.enter.includes(key)) {
          stop()
          return resolve(text)
        }
        text = keys.erase.includes(key) ? text.slice(0, -1) : text + key
      }
    }
    stderr.write(question)
    stdin.setRawMode?.(true)
    stdin.on('data', onData)
    stdin.resume()
  })
}
