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

export const preparedOf = (text: string, { ask, results }: Pick<Prepared, 'ask' | 'results'>): Prepared => ({
  text,
  ask,
  results,
  mayChangeNames: mayChangeNames(text),
  mayChangeReading: mayChangeReading(text),
})
