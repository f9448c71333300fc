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

/** Each session has two, and each message of the extended protocol is about one: methods, and no closures of its own. */
class NamesOf<T extends object> implements Names<T> {
  private readonly confirmed = new Table<T>()
  /** The last proposal of each name. Those before it are answered before it. */
  private readonly proposed = new Table<Change<T>>()
  private weighed = 0
  private readonly weightOf: (value: T) => number

  constructor(weightOf: (value: T) => number) {
    this.weightOf = weightOf
  }

  resolve(name: string, batch: number): Resolved<T> {
    const change = this.proposed.get(name)
    if (change === undefined) return this.confirmed.get(name) ?? 'unknown'
    return change.batch === batch ? (change.value ?? 'unknown') : 'unsure'
  }

  propose(change: Change<T>): void {
    this.proposed.set(change.name, change)
    this.weighed += this.weigh(change.value)
  }

  confirm(change: Change<T>): void {
    this.settle(change)
    this.weighed -= this.weigh(this.confirmed.get(change.name))
    if (change.value === undefined) this.confirmed.delete(change.name)
    else this.confirmed.set(change.name, change.value)
  }

  discard(change: Change<T>): void {
    this.settle(change)
    this.weighed -= this.weigh(change.value)
  }

  forget(): void {
    this.confirmed.clear((value) => {
      this.weighed -= this.weigh(value)
    })
  }

  size(): number {
    return this.confirmed.size() + this.proposed.size()
  }

  weight(): number {
    return this.weighed
  }

  private weigh(value: T | undefined): number {
    return value === undefined ? 0 : this.weightOf(value)
  }

  private settle(change: Change<T>): void {
    if (this.proposed.get(change.name) === change) this.proposed.delete(change.name)
  }
}

/** A map in which the empty name, which most messages are about, costs nothing. */
class Table<V extends NonNullable<unknown>> {
  private unnamed: V | undefined = undefined
  /** How many there are: an empty map need not be looked at. */
  private count = 0
  private readonly named = new Map<string, V>()

  get(name: string): V | undefined {
    if (name === '') return this.unnamed
    return this.count === 0 ? undefined : this.named.get(name)
  }

  set(name: string, value: V): void {
    if (name === '') this.unnamed = value
    else {
      this.named.set(name, value)
      this.count = this.named.size
    }
  }

  delete(name: string): void {
    if (name === '') this.unnamed = undefined
    else {
      this.named.delete(name)
      this.count = this.named.size
    }
  }

  clear(cleared: (value: V) => void): void {
    if (this.unnamed !== undefined) cleared(this.unnamed)
    this.unnamed = undefined
    if (this.count === 0) return
    for (const value of this.named.values()) cleared(value)
    this.named.clear()
    this.count = 0
  }

  size(): number {
    return this.count + (this.unnamed === undefined ? 0 : 1)
  }
}

export const createNames = <T extends object>(weightOf: (value: T) => number): Names<T> => new NamesOf(weightOf)
