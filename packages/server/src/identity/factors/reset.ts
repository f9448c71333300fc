/** An administrator has someone's second factors forgotten: what was proved by them counts no longer, either. */

import type { Instant } from '@tidegate/core'
import { days, instant } from '@tidegate/core'
import type { Unit } from '../../store/change.ts'
import type { Reader } from '../../store/database.ts'
import { boundInstant, instantParam } from '../../store/database.ts'
import { endLogins } from '../logins/logins.ts'
import { factorsOf, forgetFactors } from './factors.ts'

type Resetting = {
  readonly user: string
  /** Principal key. */
  readonly by: string
  readonly reason: string
}

export type Reset = {
  readonly passkeys: number
  readonly totp: boolean
  readonly recoveryCodes: number
  /** They had an account of Tidegate itself, which was made of these. */
  readonly account: boolean
  readonly logins: number
}

export async function resetFactors(unit: Unit, { user, by, reason }: Resetting): Promise<Reset> {
  const { tx, now } = unit
  const { passkeys, totp, recoveryCodes, account } = await factorsOf(tx, user)
  await forgetFactors(unit, user, { because: 'reset' })
  const logins = await endLogins(unit, { user }, { reason: 'factors-reset', by })
  const said = { resetAt: instantParam(now), resetBy: by }
  await tx
    .insertInto('factorReset')
    .values({ userId: user, ...said })
    .onConflict((conflict) => conflict.column('userId').doUpdateSet(said))
    .execute()
  const counts = { passkeys: passkeys.length, totp: totp !== undefined, recoveryCodes }
  const gone = { ...counts, account: account !== undefined, logins: logins.length }
  unit.record({ type: 'factor.reset', at: now, fields: { ...gone, principal: `user:${user}`, by, reason } })
  return gone
}

/** Whoever comes in first may not be them: each login is told, for so long. */
const toldFor = days(14)

export type Told = { readonly at: Instant; readonly by: string }

export async function resetToTell(reader: Reader, user: string, now: Instant): Promise<Told | undefined> {
  const row = await reader
    .selectFrom('factorReset')
    .selectAll()
    .where('userId', '=', user)
    .where('resetAt', '>', boundInstant(instant(now - toldFor)))
    .executeTakeFirst()
  return row && { at: row.resetAt, by: row.resetBy }
}
