/**
 * What is printed, and where: results on stdout, everything said along the way on stderr. With `--output json` stdout
 * carries JSON and nothing else.
 *
 * Lines are made of parts, and only here do parts become text: each is made plain first, so nothing that came from
 * elsewhere reaches the terminal as anything but itself.
 */

import type { Sink } from './streams.ts'
import { jsonText, plain } from './terminal-text.ts'

const styles = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const

export type Style = keyof typeof styles
export type Part = string | { readonly style: Style; readonly text: string }
export type Line = Part | readonly Part[]

export const styled = (style: Style, text: string): Part => ({ style, text })
export const bold = (text: string): Part => styled('bold', text)
export const dim = (text: string): Part => styled('dim', text)

/** Something to type next. */
export const command = (text: string): Part => styled('cyan', text)

export type OutputFormat = 'human' | 'json'

export type Output = {
  readonly format: OutputFormat
  /** What was asked for: the value as JSON, or its lines. */
  readonly result: (value: unknown, lines: () => readonly Line[]) => void
  /** One of a sequence with no end: a line of JSON, or its lines. */
  readonly item: (value: unknown, lines: () => readonly Line[]) => void
  /** Said along the way. */
  readonly note: (...lines: readonly Line[]) => void
  /** What must not be overlooked. */
  readonly warn: (...lines: readonly Line[]) => void
}

type OutputConfig = {
  readonly stdout: Sink
  readonly stderr: Sink
  readonly env: Readonly<Record<string, string | undefined>>
  readonly format: OutputFormat
}

export function createOutput({ stdout, stderr, env, format }: OutputConfig): Output {
  const lines = (sink: Sink, all: readonly Line[]): void => {
    const colours = mayColour(sink, env)
    for (const line of all) sink.write(`${render(line, colours)}\n`)
  }
  const print = (value: unknown, human: () => readonly Line[], indent: number): void => {
    if (format === 'json') stdout.write(`${jsonText(value, indent)}\n`)
    else lines(stdout, human())
  }
  return {
    format,
    result: (value, human) => print(value, human, 2),
    item: (value, human) => print(value, human, 0),
    note: (...all) => lines(stderr, all),
    warn: (...all) =>
      lines(
        stderr,
        all.map((line, i) => (i === 0 ? [styled('yellow', 'warning: '), ...parts(line)] : line)),
      ),
  }
}

/** https://no-color.org: set and not empty, whatever its value. */
function mayColour(sink: Sink, env: OutputConfig['env']): boolean {
  return sink.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
}

const parts = (line: Line): readonly Part[] => (isParts(line) ? line : [line])
const isParts = (line: Line): line is readonly Part[] => Array.isArray(line)

const render = (line: Line, colours: boolean): string =>
  parts(line)
    .map((part) => renderPart(part, colours))
    .join('')
    .trimEnd()

function renderPart(part: Part, colours: boolean): string {
  if (typeof part === 'string') return plain(part)
  const [on, off] = styles[part.style]
  return colours ? `\u001b[${on}m${plain(part.text)}\u001b[${off}m` : plain(part.text)
}

export const indented = (line: Line): Line => ['  ', ...parts(line)]

/** Columns two spaces apart under dim headings. Widths are counted in characters. */
export function table(headings: readonly string[], rows: readonly (readonly Part[])[]): readonly Line[] {
  const all = [headings.map((heading) => dim(heading)), ...rows]
  const widths = headings.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ''))))
  return all.map((row) => row.flatMap((part, column) => [part, ' '.repeat((widths[column] ?? 0) - width(part) + 2)]))
}

const width = (part: Part): number => [...plain(typeof part === 'string' ? part : part.text)].length

/** `one`, `one or two`, `one, two or three`. */
export function listed(words: readonly string[], joint: 'and' | 'or'): string {
  const [last = '', ...others] = words.toReversed()
  return others.length === 0 ? last : `${others.toReversed().join(', ')} ${joint} ${last}`
}

export const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`
