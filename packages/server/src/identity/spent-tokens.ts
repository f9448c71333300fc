/** What counts once is remembered, by its hash, until it would be refused for its age. */

import { createHash } from 'node:crypto'
import type { Instant } from '@tidegate/core'
import type { Reader } from '../store/database.ts'
import { instantParam } from '../store/database.ts'

type Token = {
  /** What it is, whose, and its own id: no two things have the same. */
  readonly name: readonly [kind: string, ...rest: string[]]
  /** By then nobody would take it any more. */
  readonly until: Instant
}

/** @returns whether it had not been spent before */
export async function spendToken(reader: Reader, { name, until }: Token): Promise<boolean> {
  const hash = createHash('sha256').update(JSON.stringify(name)).digest()
  const first = await reader
    .insertInto('spentToken')
    .values({ hash, endsAt: instantParam(until) })
    .onConflict((conflict) => conflict.doNothing())
    .returning('hash')
    .executeTakeFirst()
  return first !== undefined
}
