/**
 * What can be guessed is guessed slowly: after some wrong guesses there is a wait, which doubles with each further one.
 * Whether whom they are about is there at all makes no difference. Whoever guesses holds the rows until it is known
 * whether they were right, so that a thousand at once are one after another.
 */

import { createHash } from 'node:crypto'
import type { Instant, Millis } from '@tidegate/core'
import { after, instant } from '@tidegate/core'
import { sql } from 'kysely'
import { neighbourhood } from '../../http/throttle.ts'
import type { Unit } from '../../store/change.ts'
import type { Reader } from '../../store/database.ts'
import { instantParam } from '../../store/database.ts'
import { factorLimits } from './limits.ts'

/** Whose secret is guessed at, and from where. */
export type Guesser = { readonly person: string; readonly address: string }

export type Guessing =
  | { readonly waitUntil: Instant }
  | {
      /** Says how it ended. What is not said is nothing: the transaction has to have failed. */
      readonly settle: (right: boolean) => Promise<void>
    }

type Subject = { readonly hash: Buffer; readonly free: number }

export async function beginGuess(unit: Unit, guesser: Guesser): Promise<Guessing> {
  const { tx, now } = unit
  await forgetOld(unit)
  const waits: Instant[] = []
  const subjects = subjectsOf(guesser)
  for (const { hash, free } of subjects) {
    const at = instantParam(now)
    const { failures, lastAt } = await tx
      .insertInto('guess')
      .values({ subject: hash, failures: 0, lastAt: at })
      .onConflict((conflict) => conflict.column('subject').doUpdateSet({ subject: hash }))
      .returning(['failures', 'lastAt'])
      .executeTakeFirstOrThrow()
    waits.push(...waitOf({ failures, lastAt }, { free, now }))
  }
  const longest = longestOf(waits)
  return longest === undefined ? { settle: (right) => settle(unit, subjects, right) } : { waitUntil: longest }
}

/** Without guessing: what is worth doing for whoever would have to wait anyway is little. */
export async function waitBefore(reader: Reader, guesser: Guesser, now: Instant): Promise<Instant | undefined> {
  const subjects = subjectsOf(guesser)
  const rows = await reader
    .selectFrom('guess')
    .selectAll()
    .where(
      'subject',
      'in',
      subjects.map(({ hash }) => hash),
    )
    .execute()
  return longestOf(
    rows.flatMap((row) => {
      const free = subjects.find(({ hash }) => hash.equals(row.subject))?.free ?? 0
      return waitOf(row, { free, now })
    }),
  )
}

type Tried = { readonly failures: number; readonly lastAt: Instant }

function waitOf(
  { failures, lastAt }: Tried,
  { free, now }: { readonly free: number; readonly now: Instant },
): Instant[] {
  const until = after(lastAt, waitAfter(failures - free))
  return failures >= free && now < until ? [until] : []
}

const longestOf = (waits: readonly Instant[]): Instant | undefined => waits.toSorted((a, b) => b - a)[0]

/** Whoever is right is forgotten as a person. Their address may be that of many. */
async function settle({ tx, now }: Unit, subjects: readonly Subject[], right: boolean): Promise<void> {
  const hashes = subjects.map(({ hash }) => hash)
  if (right) {
    await tx.updateTable('guess').set({ failures: 0 }).where('subject', '=', personOf(subjects)).execute()
    return
  }
  await tx
    .updateTable('guess')
    .set({ failures: sql`failures + 1`, lastAt: instantParam(now) })
    .where('subject', 'in', hashes)
    .execute()
}

const personOf = ([person]: readonly Subject[]): Buffer => person?.hash ?? Buffer.alloc(0)

/** @param beyond how many wrong guesses there were after the free ones */
export const waitAfter = (beyond: number): Millis =>
  Math.min(factorLimits.longestWait, factorLimits.firstWait * 2 ** Math.min(beyond, 20)) as Millis

/** In one order for all, so that no two wait for each other: a person is never an address. */
function subjectsOf({ person, address }: Guesser): readonly Subject[] {
  const { freeGuesses } = factorLimits
  return [
    { hash: hashOf('person', person), free: freeGuesses.person },
    { hash: hashOf('address', neighbourhood(address)), free: freeGuesses.address },
  ]
}

const hashOf = (...parts: readonly string[]): Buffer => createHash('sha256').update(JSON.stringify(parts)).digest()

const forgetOld = async ({ tx, now }: Unit): Promise<void> =>
  void (await sql`
    delete from guess where subject in (
      select subject from guess where last_at < ${instantParam(instant(Math.max(0, now - factorLimits.guessesKept)))}
      limit 100 for update skip locked
    )`.execute(tx))
