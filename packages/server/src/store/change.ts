/**
 * One change: state, entries and wake-ups in one transaction. Either all of it is so, or none of it.
 */

import { sql } from 'kysely'
import type { Instant } from '@tidegate/core'
import { earlier, instant } from '@tidegate/core'
import type { EntryDraft } from '../log/append.ts'
import { appendEntries } from '../log/append.ts'
import type { Runtime } from '../runtime.ts'
import type { Database, Tx } from './database.ts'
import { transaction } from './transaction.ts'

/** Wake-ups between processes. Each is only a hint: whoever misses one finds the work by its clock. */
export const channel = 'tidegate'

/**
 * What is due later than this is not told to other processes, which look that often anyway. Entries are not at all:
 * one process integrates them. A notification costs its transaction a lock that all commits with one wait for.
 */
const tellWithinMs = 30_000

/** What there is to do: a grant or request at its time, a target to tend, entries to integrate. */
type TimedHint =
  | { readonly to: 'due'; readonly at: Instant }
  | { readonly to: 'targets'; readonly at: Instant }
  | { readonly to: 'entries'; readonly at: Instant }

/** Or something that gateways are to hear of: the id of a grant, of a session or of a gateway. */
export type Hint =
  | TimedHint
  | {
      readonly to: 'gateways'
      readonly about: string
      /** In words for its holder: the grant is over, and this process need not read that. Others do. */
      readonly over?: string
    }

export function parseHint(payload: string | undefined): Hint | undefined {
  const about = /^gateways ([\x21-\x7e]{1,128})$/.exec(payload ?? '')?.[1]
  if (about !== undefined) return { to: 'gateways', about }
  const match = /^(due|targets|entries) (\d{1,15})$/.exec(payload ?? '')
  return match ? { to: match[1] as TimedHint['to'], at: instant(Number(match[2])) } : undefined
}

export type Unit = {
  readonly tx: Tx
  readonly now: Instant
  readonly runtime: Runtime
  /** Entries of this change, written when the work is done. */
  readonly record: (...drafts: EntryDraft[]) => void
  /**
   * Goes on without waiting for this statement: the next ones follow it on the connection, and all of them share round
   * trips. The change waits for every one before it commits, and is rolled back if one fails.
   */
  readonly send: (statement: Promise<unknown>) => void
  /** To the loops of this process, and of the others where it is near, once the change is committed. */
  readonly hint: (hint: Hint) => void
}

/** Tells the loops of this process that there is something to do. */
export type Wake = (hint: Hint) => void

type Deps = { readonly db: Database; readonly runtime: Runtime; readonly wake?: Wake }

/**
 * Read committed, and rows locked by whoever changes them. What `work` throws rolls everything back.
 */
export async function change<T>({ db, runtime, wake }: Deps, work: (unit: Unit) => Promise<T>): Promise<T> {
  const hints: Hints = { timed: new Map(), gateways: new Map() }
  const hint = (one: Hint): void => collect(hints, one)
  const result = await transaction(db, async (tx) => {
    const drafts: EntryDraft[] = []
    const now = runtime.now()
    const sent: Promise<unknown>[] = []
    const result = await work({
      tx,
      now,
      runtime,
      record: (...list) => void drafts.push(...list),
      send(statement) {
        // Waited for at the end; until then a failure is nobody's.
        statement.catch(() => undefined)
        sent.push(statement)
      },
      hint,
    })
    if (drafts.length > 0) hint({ to: 'entries', at: now })
    return { result, sent: Promise.all([...sent, appendEntries(tx, runtime, drafts), notify(tx, now, hints)]) }
  })
  // Whoever loses access first: what is to be tidied up behind it can wait.
  for (const [about, over] of hints.gateways) wake?.({ to: 'gateways', about, ...(over !== undefined && { over }) })
  for (const [to, at] of hints.timed) wake?.({ to, at })
  return result
}

type Hints = { readonly timed: Map<TimedHint['to'], Instant>; readonly gateways: Map<string, string | undefined> }

function collect({ timed, gateways }: Hints, hint: Hint): void {
  if (hint.to === 'gateways') gateways.set(hint.about, hint.over ?? gateways.get(hint.about))
  else timed.set(hint.to, earlier(hint.at, timed.get(hint.to) ?? hint.at))
}

async function notify(tx: Tx, now: Instant, { timed, gateways }: Hints): Promise<void> {
  const near = [...timed].filter(([to, at]) => to !== 'entries' && at - now < tellWithinMs)
  const payloads = [
    ...near.map(([to, at]) => `${to} ${at}`),
    ...[...gateways.keys()].map((about) => `gateways ${about}`),
  ]
  if (payloads.length === 0) return
  await sql`select pg_notify(${channel}, payload) from unnest(${payloads}::text[]) as payload`.execute(tx)
}
