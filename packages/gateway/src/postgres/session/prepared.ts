/** What names of the extended protocol stand for. */

import type { Asking } from '../../guard/ruling.ts'
import type { Formats, Results } from '../../mask/results.ts'
import { mayChangeNames, mayChangeReading } from './reading.ts'

export type Prepared = {
  readonly text: string
  /** Each binding of it waits for an approver. */
  readonly ask: Asking | undefined
  /** Absent: nothing is masked in this session. */
  readonly results: Results | undefined
  readonly mayChangeNames: boolean
  readonly mayChangeReading: boolean
}

export type Portal = {
  /** The number of the statement that it runs. */
  readonly statement: number
  readonly prepared: Prepared
  readonly formats: Formats
}

export function preparedOf(text: string, { ask, results }: Pick<Prepared, 'ask' | 'results'>): Prepared {
  const changes = changesOf(text)
  return { text, ask, results, mayChangeNames: changes.names, mayChangeReading: changes.reading }
}

type Changes = { readonly text: string; readonly names: boolean; readonly reading: boolean }

/** Of the texts that were prepared last: some are for each use. */
const last: Changes[] = []
const lastMost = 32
const longestKept = 1_024
let next = 0

function changesOf(text: string): Changes {
  for (const known of last) if (known.text === text) return known
  const changes = { text, names: mayChangeNames(text), reading: mayChangeReading(text) }
  if (text.length > longestKept) return changes
  last[next] = changes
  next = (next + 1) % lastMost
  return changes
}
