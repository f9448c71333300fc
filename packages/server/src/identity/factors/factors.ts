/** What someone has beyond their sign-in, and how they get rid of it. */

import type { Instant } from '@tidegate/core'
import type { Selectable } from 'kysely'
import type { DeclaredIdentity } from '../../configuration/schema.ts'
import type { Unit } from '../../store/change.ts'
import type { Reader, Tables } from '../../store/database.ts'
import type { Caller } from '../identity.ts'
import { factorLimits } from './limits.ts'
import type { Need } from './need.ts'
import { isProved } from './need.ts'
import type { PasskeyRow } from './passkeys.ts'
import { passkeysOf } from './passkeys.ts'
import { recoveryCodesLeft } from './recovery-codes.ts'

export type Factors = {
  readonly passkeys: readonly PasskeyRow[]
  /** Absent: they have no codes of an app. */
  readonly totp?: Pick<Selectable<Tables['totp']>, 'createdAt' | 'lastUsedAt'>
  /** That are unused. */
  readonly recoveryCodes: number
  /** Absent: they sign in elsewhere alone. */
  readonly account?: Selectable<Tables['localAccount']>
}

export async function factorsOf(reader: Reader, user: string): Promise<Factors> {
  const [passkeys, totp, recoveryCodes, account] = await Promise.all([
    passkeysOf(reader, user),
    reader.selectFrom('totp').select(['createdAt', 'lastUsedAt']).where('userId', '=', user).executeTakeFirst(),
    recoveryCodesLeft(reader, user),
    reader.selectFrom('localAccount').selectAll().where('userId', '=', user).executeTakeFirst(),
  ])
  return { passkeys, recoveryCodes, ...(totp && { totp }), ...(account && { account }) }
}

export const hasFactors = ({ passkeys, totp }: Pick<Factors, 'passkeys' | 'totp'>): boolean =>
  totp !== undefined || passkeys.length > 0

/**
 * What it takes to add or remove one. Whoever has one proves one, so that who stole a cookie cannot make themselves
 * stronger; the first rests on the sign-in, as configuration has it.
 */
export const needToManage = (factors: Factors, { firstFactor }: DeclaredIdentity): Need =>
  hasFactors(factors) ? 'mfa' : firstFactor

export const mayManage = ({ authentication }: Caller, need: Need, now: Instant): boolean =>
  isProved(authentication, need, { now, within: factorLimits.managing })

type Removed = { readonly user: string; readonly id: string }

export async function removePasskey(unit: Unit, { user, id }: Removed): Promise<boolean> {
  const row = await unit.tx
    .deleteFrom('passkey')
    .where('id', '=', id)
    .where('userId', '=', user)
    .returning(['id', 'name'])
    .executeTakeFirst()
  if (!row) return false
  const fields = { kind: 'passkey', factor: row.id, because: 'asked', principal: `user:${user}`, name: row.name }
  unit.record({ type: 'factor.removed', at: unit.now, fields })
  return true
}

export async function removeTotp(unit: Unit, user: string): Promise<boolean> {
  const row = await unit.tx.deleteFrom('totp').where('userId', '=', user).returning('userId').executeTakeFirst()
  if (row) {
    const fields = { kind: 'totp', because: 'asked', principal: `user:${user}` }
    unit.record({ type: 'factor.removed', at: unit.now, fields })
  }
  return row !== undefined
}

type Forgetting = { readonly because: 'removed' | 'invited' | 'reset'; /** A passkey. */ readonly except?: string }

/** Everything, at once: whoever has the id next is someone else, or begins anew. */
export async function forgetFactors(
  { tx, now, record }: Unit,
  user: string,
  { because, except = '' }: Forgetting,
): Promise<void> {
  const gone = [
    await tx.deleteFrom('passkey').where('userId', '=', user).where('id', '<>', except).returning('userId').execute(),
    await tx.deleteFrom('totp').where('userId', '=', user).returning('userId').execute(),
    await tx.deleteFrom('recoveryCode').where('userId', '=', user).returning('userId').execute(),
    await tx.deleteFrom('localAccount').where('userId', '=', user).returning('userId').execute(),
    await tx.deleteFrom('invitation').where('userId', '=', user).returning('userId').execute(),
  ]
  // Whoever comes to have the id is not told what happened to another.
  if (because === 'removed') await tx.deleteFrom('factorReset').where('userId', '=', user).execute()
  if (gone.every((rows) => rows.length === 0)) return
  record({ type: 'factor.removed', at: now, fields: { kind: 'all', because, principal: `user:${user}` } })
}
