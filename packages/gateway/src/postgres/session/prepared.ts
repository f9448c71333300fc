/** What names of the extended protocol stand for. */

import type { Ruling } from '../../guard/ruling.ts'
import { mayChangeNames, mayChangeReading } from './reading.ts'

export type Prepared = {
  readonly text: string
  /** Each binding of it waits for an approver. */
  readonly ask: Extract<Ruling, { ruling: 'ask' }> | undefined
  readonly mayChangeNames: boolean
  readonly mayChangeReading: boolean
}

export type Portal = {
  /** The number of the statement that it runs. */
  readonly statement: number
  readonly prepared: Prepared
}

export const preparedOf = (text: string, ask?: Prepared['ask']): Prepared => ({
  text,
  ask,
  mayChangeNames: mayChangeNames(text),
  mayChangeReading: mayChangeReading(text),
})
