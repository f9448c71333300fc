/**
 * What was made of short texts that come again and again. To compare bytes with a few texts costs less than to make a
 * text of them.
 */

export type Known<T> = {
  /** What was added whose text these bytes are. */
  readonly find: (buffer: Buffer, start: number, end: number) => T | undefined
  /** Its text has as many characters as bytes: it is ASCII, or has what no byte is equal to. */
  readonly add: (one: T) => void
}

/** @param most of them: the oldest goes when another comes */
export function createKnown<T>(textOf: (one: T) => string, most: number): Known<T> {
  const all: T[] = []
  let next = 0
  return {
    find(buffer, start, end) {
      for (const one of all) {
        const text = textOf(one)
        if (text.length === end - start && isAt(text, buffer, start)) return one
      }
      return undefined
    },
    add(one) {
      all[next] = one
      next = (next + 1) % most
    },
  }
}

/** From the end: names and tags differ in their last letters, where they do. */
function isAt(text: string, buffer: Buffer, start: number): boolean {
  for (let i = text.length - 1; i >= 0; i--) if (text.charCodeAt(i) !== buffer[start + i]) return false
  return true
}
