/**
 * Keeps a memory as the store is. Hints say which grant, session or gateway to read again, one read for all that came
 * while the last was under way; a look compares everything, whatever was hinted.
 */

import type { Instant } from '@tidegate/core'
import type { Change, Memory } from './feed-memory.ts'
import type { Reading } from './feed-reads.ts'
import { readEnrolments, readMarks, readStandings } from './feed-reads.ts'
import { readOrders } from './orders.ts'
import { closeViewsLeft } from './views.ts'

type Config = Reading & {
  readonly memory: Memory
  readonly now: () => Instant
  readonly changed: (changes: readonly Change[]) => void
  /** By gateway, when it enrolled. */
  readonly enrolled: (enrolments: ReadonlyMap<string, Instant>) => void
  readonly failed: () => void
}

export function createKeeper({ memory, now, changed, enrolled, failed, ...reading }: Config) {
  const { db } = reading
  const told = new Set<string>()
  /** Something may have been missed: until it was looked, nobody knows. */
  let lookWanted = true
  /** It is time to look again. What is known holds meanwhile. */
  let lookDue = false
  let lookedAt = Number.NEGATIVE_INFINITY
  let working: Promise<void> | undefined
  let failure: { readonly cause: unknown } | undefined

  const readGrants = async (ids: readonly string[]): Promise<void> => {
    if (ids.length > 0) changed(memory.putGrants(ids, await readStandings(reading, ids)))
  }
  const readAllOrders = async (): Promise<void> => changed(memory.putOrders(await readOrders(db, now())))
  const readGateways = async (): Promise<void> => enrolled(await readEnrolments(db))

  const lookOnce = async (): Promise<void> => {
    lookWanted = false
    lookDue = false
    await readGrants(memory.differing(await readMarks(reading)))
    await closeViewsLeft(db, now())
    await readAllOrders()
    await readGateways()
    lookedAt = performance.now()
    failure = undefined
  }

  const readTold = async (): Promise<void> => {
    const about = [...told]
    told.clear()
    await readGrants(about.filter((id) => id.startsWith('grt_')))
    if (about.some((id) => /^(ses|viw|stm)_/.test(id))) await readAllOrders()
    if (about.some((id) => !/^(grt|ses|viw|stm)_/.test(id))) await readGateways()
  }

  /** One read at a time, so that what was read first is never put over what was read later. */
  const readAll = async (): Promise<void> => {
    try {
      while (lookWanted || lookDue || told.size > 0) await (lookWanted || lookDue ? lookOnce() : readTold())
    } catch (cause) {
      failure = { cause }
      // Nobody knows what was missed.
      lookWanted = true
      failed()
    } finally {
      working = undefined
    }
  }
  const work = (): Promise<void> => (working ??= readAll())

  return {
    tell(about: string): void {
      told.add(about)
      void work()
    },
    /** These are read again, after whatever is being read now. Resolves when they have been. */
    read(about: readonly string[]): Promise<void> {
      for (const one of about) told.add(one)
      return work()
    },
    look(): Promise<void> {
      lookWanted = true
      return work()
    },
    /** Looks, and keeps nobody waiting who goes by what is known. */
    refresh(): void {
      lookDue = true
      void work()
    },
    /** It has been compared with the store within so long, and nothing has failed since. */
    isFresh: (withinMs: number): boolean =>
      !lookWanted && failure === undefined && performance.now() - lookedAt <= withinMs,
    /** Why it may not be as the store is. */
    failure: () => failure,
  }
}
