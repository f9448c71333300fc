/**
 * What the names of a session's prepared statements or portals stand for. The target decides whether a name was given:
 * a message after an error is skipped, and with it what it named. So a change counts when the target has answered it,
 * and until then only for what is skipped along with it, which is the rest of the same batch: what comes before a Sync.
 */

export type Change<T> = {
  readonly name: string
  /** Absent: the name is given up. */
  readonly value: T | undefined
  readonly batch: number
}

/** `unsure`: it depends on an answer to an earlier batch. */
export type Resolved<T> = T | 'unknown' | 'unsure'

export type Names<T> = {
  readonly resolve: (name: string, batch: number) => Resolved<T>
  /** Sent, and not answered. Each is confirmed or discarded once, in order. */
  readonly propose: (change: Change<T>) => void
  readonly confirm: (change: Change<T>) => void
  readonly discard: (change: Change<T>) => void
  /** What stood behind the names may have changed in ways that are not seen here. */
  readonly forget: () => void
  readonly size: () => number
  /** Of all values, those not answered included. */
  readonly weight: () => number
}

export function createNames<T extends object>(weightOf: (value: T) => number): Names<T> {
  const confirmed = createTable<T>()
  /** The last proposal of each name. Those before it are answered before it. */
  const proposed = createTable<Change<T>>()
  let weight = 0

  const weigh = (value: T | undefined): number => (value === undefined ? 0 : weightOf(value))
  const settle = (change: Change<T>): void => {
    if (proposed.get(change.name) === change) proposed.delete(change.name)
  }

  return {
    resolve(name, batch) {
      const change = proposed.get(name)
      if (change === undefined) return confirmed.get(name) ?? 'unknown'
      return change.batch === batch ? (change.value ?? 'unknown') : 'unsure'
    },
    propose(change) {
      proposed.set(change.name, change)
      weight += weigh(change.value)
    },
    confirm(change) {
      settle(change)
      weight -= weigh(confirmed.get(change.name))
      if (change.value === undefined) confirmed.delete(change.name)
      else confirmed.set(change.name, change.value)
    },
    discard(change) {
      settle(change)
      weight -= weigh(change.value)
    },
    forget() {
      confirmed.clear((value) => {
        weight -= weigh(value)
      })
    },
    size: () => confirmed.size() + proposed.size(),
    weight: () => weight,
  }
}

type Table<V> = {
  readonly get: (name: string) => V | undefined
  readonly set: (name: string, value: V) => void
  readonly delete: (name: string) => void
  readonly clear: (cleared: (value: V) => void) => void
  readonly size: () => number
}

/** A map in which the empty name, which most messages are about, costs nothing. */
function createTable<V extends NonNullable<unknown>>(): Table<V> {
  const named = new Map<string, V>()
  let unnamed: V | undefined
  return {
    get: (name) => (name === '' ? unnamed : named.get(name)),
    set(name, value) {
      if (name === '') unnamed = value
      else named.set(name, value)
    },
    delete(name) {
      if (name === '') unnamed = undefined
      else named.delete(name)
    },
    clear(cleared) {
      if (unnamed !== undefined) cleared(unnamed)
      unnamed = undefined
      if (named.size === 0) return
      for (const value of named.values()) cleared(value)
      named.clear()
    },
    size: () => named.size + (unnamed === undefined ? 0 : 1),
  }
}
