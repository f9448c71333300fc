/** Tells the demo: a heading a step, what was typed, what came back, and how long it took. */

import type { Invocation } from '../context.ts'
import type { Line } from '../output.ts'
import { bold, command, dim, styled } from '../output.ts'

export type Narrator = {
  readonly heading: (number: number, title: string) => void
  readonly say: (text: string) => void
  readonly typed: (who: string, line: string) => void
  /** Output of a program, shown as it came. */
  readonly shown: (text: string) => void
  readonly took: (what: string, ms: number) => void
  readonly failed: (message: string) => void
}

const linesShown = 18

export function createNarrator({ out }: Pick<Invocation, 'out'>): Narrator {
  const write = (...lines: readonly Line[]): void => out.note(...lines)
  return {
    heading: (number, title) => write('', bold(`${number}. ${title}`)),
    say: (text) => write(`   ${text}`),
    typed: (who, line) => write([dim(`   ${who} $ `), command(line)]),
    shown(text) {
      const lines = text.trimEnd().split('\n')
      write(...lines.slice(0, linesShown).map((line): Line => dim(`     ${line}`)))
      if (lines.length > linesShown) write(dim(`     … and ${lines.length - linesShown} more lines`))
    },
    took: (what, ms) => write([styled('green', '   ✓ '), what, dim(` (${formatMs(ms)})`)]),
    failed: (message) => write([styled('red', '   ✗ '), message]),
  }
}

export const formatMs = (ms: number): string =>
  ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
