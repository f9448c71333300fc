/** PostgreSQL's grammar for masks: one parser in a process, loaded when the first mask is used. */

import { createParser, type Parser } from '../guard/parser.ts'

/** Makes one, and where that fails another the next time. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  const forget = (): void => {
    made = undefined
  }
  return () => {
    if (made === undefined) {
      made = make()
      made.catch(forget)
    }
    return made
  }
}

/** @throws where it cannot be loaded */
export const sharedParser: () => Promise<Parser> = once(createParser)
