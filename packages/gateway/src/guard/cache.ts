/**
 * Remembers by text, in bounded memory, at the cost of one look-up for what is used often. Two generations: a new one
 * begins when the young one is full, and what is not met again goes with the old one.
 */

export type TextCache<T> = {
  readonly get: (text: string) => T | undefined
  readonly set: (text: string, value: T) => void
  /** Texts and characters in both generations. */
  readonly size: () => { readonly texts: number; readonly length: number }
}

/** Of one generation; a longer text than `textLength` is not remembered. */
export type CacheBounds = { readonly texts: number; readonly length: number; readonly textLength: number }

type Generation<T> = { readonly values: Map<string, T>; length: number }

export function createTextCache<T>(bounds: CacheBounds): TextCache<T> {
  let young: Generation<T> = { values: new Map(), length: 0 }
  let old: Generation<T> = { values: new Map(), length: 0 }

  function set(text: string, value: T): void {
    if (text.length > bounds.textLength) return
    if (young.values.size >= bounds.texts || young.length + text.length > bounds.length) {
      old = young
      young = { values: new Map(), length: 0 }
    }
    if (!young.values.has(text)) young.length += text.length
    young.values.set(text, value)
  }

  function get(text: string): T | undefined {
    // A long text is not there, and to look would be to read it.
    if (text.length > bounds.textLength) return undefined
    const found = young.values.get(text)
    if (found !== undefined) return found
    const kept = old.values.get(text)
    if (kept !== undefined) set(text, kept)
    return kept
  }

  return {
    get,
    set,
    size: () => ({ texts: young.values.size + old.values.size, length: young.length + old.length }),
  }
}
