/**
 * Who is refused leaves an entry, and whoever can be refused at will could fill the log. So the first ones of a kind are
 * written down, the same again within the hour is counted, and the count is an entry of its own once the hour is over.
 */

import { createHash } from 'node:crypto'
import type { JsonValue } from '@tidegate/audit'
import type { Instant } from '@tidegate/core'
import { formatInstant, instant } from '@tidegate/core'
import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import { openFinding } from '../findings/findings.ts'
import { neighbourhood } from '../http/throttle.ts'
import type { Unit } from '../store/change.ts'
import type { Reader, Tables } from '../store/database.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import { identityLimits } from './limits.ts'

type Type = 'login.refused' | 'machine-login.refused' | 'factor.refused'

export type Refusal = {
  readonly type: Type
  /** The issuer, the provider, or the key of the person whose factor it was. */
  readonly source: string
  readonly cause: string
  readonly address: string
  /** Absent: not known. */
  readonly subject?: string | undefined
  /** Of its entry. */
  readonly fields: Readonly<Record<string, JsonValue | undefined>>
}

type Row = Selectable<Tables['refusal']>
type Same = Pick<Row, 'type' | 'source' | 'cause' | 'subject' | 'address'>

export async function recordRefusal(unit: Unit, refusal: Refusal): Promise<void> {
  await tellCounted(unit)
  const { type, source, cause, subject = null, fields } = refusal
  const same = { type, source, cause, subject, address: neighbourhood(refusal.address) }
  const times = (await countKnown(unit, same)) ?? (await countNew(unit, same))
  if (times !== undefined && times <= identityLimits.refusalsTold) unit.record({ type, at: unit.now, fields })
}

/** @returns `undefined`: it is one of too many that differ, and counted among those */
async function countNew(unit: Unit, same: Same): Promise<number | undefined> {
  if (!(await areTooMany(unit.tx, same))) return begin(unit, same)
  const rest = { ...same, cause: null, subject: null, address: null }
  if ((await countKnown(unit, rest)) === undefined) await begin(unit, rest)
  return undefined
}

async function areTooMany(reader: Reader, { type, source }: Same): Promise<boolean> {
  const { count: known } = await reader
    .selectFrom('refusal')
    .select(sql<number>`count(*)::int`.as('count'))
    .where('type', '=', type)
    .where('source', '=', source)
    .where('cause', 'is not', null)
    .executeTakeFirstOrThrow()
  return known >= identityLimits.refusalKinds
}

const hashOf = ({ type, source, cause, subject, address }: Same): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([type, source, cause, subject, address]))
    .digest()

/** @returns how many there are of it now; `undefined`: this is the first */
async function countKnown(unit: Unit, same: Same): Promise<number | undefined> {
  const row = await unit.tx
    .updateTable('refusal')
    .set((eb) => ({ times: eb('times', '+', 1), lastAt: instantParam(unit.now) }))
    .where('hash', '=', hashOf(same))
    .returning('times')
    .executeTakeFirst()
  if (row?.times === identityLimits.refusalsLoud) await tellHuman(unit, same)
  return row?.times
}

/** Of two at once one is first. */
async function begin({ tx, now }: Unit, same: Same): Promise<number> {
  const at = instantParam(now)
  const { times } = await tx
    .insertInto('refusal')
    .values({ ...same, hash: hashOf(same), since: at, lastAt: at, times: 1 })
    .onConflict((conflict) =>
      conflict.column('hash').doUpdateSet((eb) => ({ times: eb('refusal.times', '+', 1), lastAt: at })),
    )
    .returning('times')
    .executeTakeFirstOrThrow()
  return times
}

const tellHuman = (unit: Unit, { type, source, address }: Same): Promise<void> =>
  openFinding(unit, {
    kind: 'refusals-many',
    subject: type === 'factor.refused' ? source : `source:${source}`,
    severity: 'medium',
    message: `${identityLimits.refusalsLoud} times within an hour someone was refused (${type}, ${source}${address === null ? '' : `, from ${address}`}). The log has the first ones, and how many more there were.`,
  })

const atOnce = 100

/** How often it was, of what is over: in an entry, so that it can be proved. */
export async function tellCounted(unit: Unit): Promise<void> {
  const { tx, now } = unit
  const before: Instant = instant(Math.max(0, now - identityLimits.refusalsCounted))
  const over = await tx
    .deleteFrom('refusal')
    .where('hash', 'in', (eb) =>
      eb
        .selectFrom('refusal')
        .select('hash')
        .where('since', '<=', boundInstant(before))
        .limit(atOnce)
        .forUpdate()
        .skipLocked(),
    )
    .returningAll()
    .execute()
  for (const row of over) {
    const told = row.cause === null ? 0 : identityLimits.refusalsTold
    if (row.times > told)
      unit.record({ type: 'refusals.counted', at: now, fields: countedFields(row, row.times - told) })
  }
}

function countedFields(
  { type, source, cause, subject, address, since, lastAt }: Row,
  count: number,
): Refusal['fields'] {
  const whose = type === 'factor.refused' ? { principal: source } : { source }
  return {
    of: type,
    ...whose,
    count,
    since: formatInstant(since),
    until: formatInstant(lastAt),
    ...(cause !== null && { cause }),
    ...(subject !== null && { subject }),
    ...(address !== null && { address }),
  }
}
