/** When what is being dealt with came. */

import type { Instant } from '@tidegate/core'
import type { State } from './state.ts'

export type Moment = { readonly at: Instant; readonly elapsedMs: number }

/** Read once for a chunk of messages, however many there are: clocks are asked for each statement otherwise, and more than once. */
export const momentOf = (state: State): Moment =>
  (state.moment ??= { at: state.ports.now(), elapsedMs: state.ports.elapsedMs() })
