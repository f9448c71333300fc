/** What was sent to the target and is not answered yet, in order: answers name nothing, so the order is what they have. */

import type { Formats, Results } from '../../mask/results.ts'
import type { Change } from './names.ts'
import type { Refusal } from './refusal.ts'
import type { Portal, Prepared } from './prepared.ts'

export type OperationKind = 'query' | 'call' | 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync' | 'copy-end'

export type Operation = {
  readonly kind: OperationKind
  /** That it is of; zero for none. */
  readonly statement: number
  /** Of a Parse, which is recorded if it fails before any use; and of a Bind, which is a use. */
  readonly text: string | undefined
  /** Set when it is sent. */
  sentMs: number
  /** Sent in the place of something that was refused: it fails, and what is said of that is this. */
  readonly refusal: Refusal | undefined
  /** What it gives a name to, or takes one from. */
  readonly naming: Naming | undefined
  /** What is masked of what it gives. Absent: nothing is masked in this session, or it gives nothing. */
  readonly results: Results | undefined
  /** Of an Execute, as its Bind has them. */
  readonly formats: Formats
}

type More = Partial<Pick<Operation, 'text' | 'refusal' | 'naming' | 'results' | 'formats'>>

const nothingMore: More = {}

/** All have one shape: there are several for each statement, and copying is what most of their cost would be. */
export const operation = (kind: OperationKind, statement: number, more: More = nothingMore): Operation => ({
  kind,
  statement,
  text: more.text,
  sentMs: 0,
  refusal: more.refusal,
  naming: more.naming,
  results: more.results,
  formats: more.formats,
})

export type Naming =
  | { readonly of: 'statement'; readonly change: Change<Prepared> }
  | { readonly of: 'portal'; readonly change: Change<Portal> }

export type Outstanding = {
  readonly push: (operation: Operation) => void
  /** What the next answer is to. */
  readonly head: () => Operation | undefined
  readonly shift: () => Operation | undefined
  /** Takes away what follows the head; `undefined` when there is nothing. */
  readonly afterHead: () => Operation | undefined
  readonly removeAfterHead: () => void
  readonly size: () => number
}

const compactAfter = 512

class InOrder implements Outstanding {
  private items: (Operation | undefined)[] = []
  private first = 0
  /** One after the last. An array that is made shorter each time it is empty is made again each time. */
  private end = 0

  push(next: Operation): void {
    this.items[this.end] = next
    this.end++
  }

  /** The end of a copy that the target did not ask for: it reads over it, and so do we. */
  head(): Operation | undefined {
    while (this.items[this.first]?.kind === 'copy-end') this.take()
    return this.items[this.first]
  }

  shift(): Operation | undefined {
    this.head()
    return this.take()
  }

  afterHead(): Operation | undefined {
    return this.items[this.first + 1]
  }

  removeAfterHead(): void {
    if (this.end - this.first < 2) return
    this.items.splice(this.first + 1, 1)
    this.end--
  }

  size(): number {
    return this.end - this.first
  }

  private take(): Operation | undefined {
    if (this.first === this.end) return undefined
    const next = this.items[this.first]
    this.items[this.first] = undefined
    this.first++
    if (this.first === this.end) {
      this.first = 0
      this.end = 0
    } else if (this.first > compactAfter) {
      this.items = this.items.slice(this.first, this.end)
      this.end -= this.first
      this.first = 0
    }
    return next
  }
}

export const createOutstanding = (): Outstanding => new InOrder()
