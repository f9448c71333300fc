/** Codes of an app (RFC 6238): for who has no passkey. They can be phished, and policy can tell them apart. */

import type { Instant } from '@tidegate/core'
import { Secret, TOTP } from 'otpauth'
import type { MasterKey } from '../../secrets/envelope.ts'
import { open, seal } from '../../secrets/envelope.ts'
import type { Unit } from '../../store/change.ts'
import { instantParam } from '../../store/database.ts'
import { factorLimits } from './limits.ts'

const stepSeconds = 30

type Key = { readonly key: MasterKey }

/** Bound to the person: the sealed secret of another does not open in this one's place. */
export const totpPurpose = (user: string): string => `totp:${user}`

export const makeTotpSecret = (random: (count: number) => Uint8Array): string =>
  new Secret({ buffer: Uint8Array.from(random(20)).buffer }).base32

const totpOf = (user: string, secret: string): TOTP =>
  new TOTP({ issuer: 'Tidegate', label: user, secret: Secret.fromBase32(secret), period: stepSeconds })

/** What apps read, also from a link on the same device. */
export const totpUri = (user: string, secret: string): string => totpOf(user, secret).toString()

/** The step whose code it is; `undefined`: of none that counts now. */
export function stepOf(secret: string, code: string, now: Instant): number | undefined {
  const token = code.replaceAll(' ', '')
  if (!/^\d{6}$/.test(token)) return undefined
  const delta = totpOf('', secret).validate({ token, timestamp: now, window: factorLimits.drift })
  return delta === null ? undefined : Math.floor(now / 1_000 / stepSeconds) + delta
}

export type NewTotp = Key & { readonly user: string; readonly secret: string; readonly step: number }

/** Takes the place of one that was there. The code it was confirmed with is used up. */
export async function putTotp(unit: Unit, { user, secret, step, key }: NewTotp): Promise<void> {
  const { tx, now, runtime } = unit
  const sealed = seal(Buffer.from(secret), { key, random: runtime.random, purpose: totpPurpose(user) })
  const at = instantParam(now)
  const values = { secret: sealed, lastStep: step, createdAt: at, lastUsedAt: at }
  await tx
    .insertInto('totp')
    .values({ userId: user, ...values })
    .onConflict((conflict) => conflict.column('userId').doUpdateSet(values))
    .execute()
  unit.record({ type: 'factor.added', at: now, fields: { kind: 'totp', principal: `user:${user}` } })
}

type Given = Key & { readonly user: string; readonly code: string }

/** Takes the code, once. */
export async function takeTotp({ tx, now }: Unit, { user, code, key }: Given): Promise<boolean> {
  const row = await tx.selectFrom('totp').selectAll().where('userId', '=', user).forUpdate().executeTakeFirst()
  if (!row) return false
  const secret = open(row.secret, { key, purpose: totpPurpose(user) }).toString('utf8')
  const step = stepOf(secret, code, now)
  if (step === undefined || step <= row.lastStep) return false
  await tx
    .updateTable('totp')
    .set({ lastStep: step, lastUsedAt: instantParam(now) })
    .where('userId', '=', user)
    .execute()
  return true
}
