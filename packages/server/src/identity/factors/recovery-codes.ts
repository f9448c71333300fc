/** Recovery codes: for the day the phone is gone. Each counts once, and its owner is told that it did. */

import { createHash } from 'node:crypto'
import type { Instant } from '@tidegate/core'
import type { Unit } from '../../store/change.ts'
import type { Reader } from '../../store/database.ts'
import { instantParam } from '../../store/database.ts'
import { factorLimits } from './limits.ts'

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** Four groups of four: 80 random bits, so that a plain hash is enough. */
const makeCode = (random: (count: number) => Uint8Array): string =>
  [...random(16)]
    .map((byte) => alphabet[byte & 31] as string)
    .join('')
    .replaceAll(/(.{4})(?!$)/g, '$1-')

const isCode = (text: string): boolean => /^[0-9a-z]{16}$/.test(text)

const plain = (text: string): string => text.toLowerCase().replaceAll(/[\s-]/g, '')

const hashOf = (user: string, code: string): Buffer =>
  createHash('sha256')
    .update(JSON.stringify(['recovery', user, plain(code)]))
    .digest()

/** All new ones. What was there before counts no longer. */
export async function makeRecoveryCodes(unit: Unit, user: string): Promise<string[]> {
  const { tx, now, runtime } = unit
  const codes = Array.from({ length: factorLimits.recoveryCodes }, () => makeCode(runtime.random))
  await tx.deleteFrom('recoveryCode').where('userId', '=', user).execute()
  await tx
    .insertInto('recoveryCode')
    .values(codes.map((code) => ({ hash: hashOf(user, code), userId: user, usedAt: null, usedBy: null, toldAt: null })))
    .execute()
  unit.record({ type: 'factor.added', at: now, fields: { kind: 'recovery-codes', principal: `user:${user}` } })
  return codes
}

type Given = { readonly user: string; readonly code: string; readonly login: string }

/** @returns whether it was one that had not been used */
export async function takeRecoveryCode({ tx, now }: Unit, { user, code, login }: Given): Promise<boolean> {
  if (!isCode(plain(code))) return false
  const taken = await tx
    .updateTable('recoveryCode')
    .set({ usedAt: instantParam(now), usedBy: login })
    .where('hash', '=', hashOf(user, code))
    .where('userId', '=', user)
    .where('usedAt', 'is', null)
    .returning('hash')
    .executeTakeFirst()
  return taken !== undefined
}

/** In place of the login that is about to begin by it. */
export const noLoginYet = 'none yet'

export const sayWhichLogin = async (
  { tx }: Unit,
  { user, login }: { readonly user: string; readonly login: string },
): Promise<void> =>
  void (await tx
    .updateTable('recoveryCode')
    .set({ usedBy: login })
    .where('userId', '=', user)
    .where('usedBy', '=', noLoginYet)
    .execute())

export type Used = { readonly at: Instant }

/** Uses that their owner has not been told of. Whoever is told by the login that used it would be told nothing. */
export async function usesToTell(unit: Unit, { user, login }: { user: string; login: string }): Promise<Used[]> {
  const rows = await unit.tx
    .updateTable('recoveryCode')
    .set({ toldAt: instantParam(unit.now) })
    .where('userId', '=', user)
    .where('usedAt', 'is not', null)
    .where('toldAt', 'is', null)
    .where('usedBy', '<>', login)
    .returning('usedAt')
    .execute()
  return rows.flatMap(({ usedAt }) => (usedAt === null ? [] : [{ at: usedAt }]))
}

export const recoveryCodesLeft = async (reader: Reader, user: string): Promise<number> =>
  (
    await reader
      .selectFrom('recoveryCode')
      .select('hash')
      .where('userId', '=', user)
      .where('usedAt', 'is', null)
      .execute()
  ).length
