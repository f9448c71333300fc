/**
 * Idempotency keys: the answer to a creation is kept in the transaction that created, under the caller and the key.
 * Two calls at once with one key: the second waits for the first, then gets its answer.
 */

import { createHash } from 'node:crypto'
import { ApiError } from '@tidegate/api'
import { canonicalBytes } from '@tidegate/audit'
import type { JsonValue } from '@tidegate/audit'
import { sql } from 'kysely'
import type { Unit } from '../store/change.ts'
import { instantParam } from '../store/database.ts'

export type Keyed = {
  readonly principal: string
  readonly key: string
  readonly operation: string
  /** The validated input. */
  readonly input: unknown
}

const idempotencyLocks = 7_243_005

/** @param work done once per key; must answer with nothing secret, because the answer is kept */
export async function once<T>(unit: Unit, keyed: Keyed, work: () => Promise<T>): Promise<T> {
  const { principal, key, operation, input } = keyed
  await sql`select pg_advisory_xact_lock(${idempotencyLocks}, hashtext(${`${principal}\n${key}`}))`.execute(unit.tx)
  const inputHash = createHash('sha256')
    .update(canonicalBytes(JSON.parse(JSON.stringify(input)) as JsonValue))
    .digest()
  const earlier = await unit.tx
    .selectFrom('idempotency')
    .select(['operation', 'inputHash', 'output'])
    .where('principal', '=', principal)
    .where('key', '=', key)
    .executeTakeFirst()
  if (earlier) {
    if (earlier.operation !== operation || !earlier.inputHash.equals(inputHash))
      throw new ApiError('idempotency-mismatch')
    return earlier.output as T
  }
  const output = await work()
  await unit.tx
    .insertInto('idempotency')
    .values({ principal, key, operation, inputHash, output: JSON.stringify(output), at: instantParam(unit.now) })
    .execute()
  return output
}

export function readKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  if (typeof header === 'string' && /^[\x21-\x7e]{1,128}$/.test(header)) return header
  throw new ApiError('invalid-input', {
    problems: [{ field: 'Idempotency-Key', message: 'Write 1 to 128 visible ASCII characters, once.' }],
  })
}
