/** What is wrong with a policy file, where, and what to do about it. */

import type { Position } from './source.ts'
import { positionAt } from './source.ts'

export type PolicyFile = { readonly path: string; readonly text: string }

export type PolicyProblem = Position & {
  readonly path: string
  /** The policy's `@id`, where it is known. */
  readonly id?: string
  readonly message: string
  readonly remedy: string
}

/** What went wrong at one offset of one file. */
export type Fault = {
  readonly at: number
  readonly id?: string | undefined
  readonly message: string
  readonly remedy: string
}

export function problemIn(file: PolicyFile, fault: Fault): PolicyProblem {
  const { at, id, message, remedy } = fault
  return { path: file.path, ...positionAt(file.text, at), ...(id !== undefined && { id }), message, remedy }
}

export const inReadingOrder = (a: PolicyProblem, b: PolicyProblem): number =>
  compareText(a.path, b.path) || a.line - b.line || a.column - b.column || compareText(a.message, b.message)

/** By code unit, so that the order is the same everywhere. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The name that was probably meant: at most two slips away. */
export function didYouMean(name: string, known: readonly string[]): string | undefined {
  const [nearest] = known.map((one) => ({ one, slips: slips(name, one) })).toSorted((a, b) => a.slips - b.slips)
  return nearest && nearest.slips <= 2 ? nearest.one : undefined
}

/** Levenshtein's distance, one row at a time. */
function slips(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
