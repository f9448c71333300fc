/** One-time links by which someone makes an account, or makes it anew. The link has the secret, the store its hash. */

import type { Instant, Millis } from '@tidegate/core'
import { after, formatInstant, instant } from '@tidegate/core'
import type { Unit } from '../../store/change.ts'
import type { Reader } from '../../store/database.ts'
import { boundInstant, instantParam } from '../../store/database.ts'
import { hashToken } from '../tokens.ts'
import { localLimits } from './limits.ts'

export type Invited = { readonly secret: string; readonly endsAt: Instant }

type Inviting = {
  readonly user: string
  /** Principal key. Absent: nobody in particular, at the first start. */
  readonly by?: string
  readonly lasts?: Millis
}

/** Behind the `#`, which browsers keep to themselves: no server and no log sees it on the way. */
export const invitationUrl = (publicUrl: string, secret: string): string => `${publicUrl}/join#${secret}`

/** Takes the place of any that they have. */
export async function invite(unit: Unit, { user, by, lasts = localLimits.invitation }: Inviting): Promise<Invited> {
  const { tx, now, runtime } = unit
  const secret = `tdi_${Buffer.from(runtime.random(32)).toString('base64url')}`
  const endsAt = after(now, lasts)
  const printed = by === undefined
  await tx.deleteFrom('invitation').where('userId', '=', user).execute()
  await tx
    .insertInto('invitation')
    .values({
      hash: hashToken(secret),
      userId: user,
      createdAt: instantParam(now),
      endsAt: instantParam(endsAt),
      printed,
    })
    .execute()
  const fields = { endsAt: formatInstant(endsAt), printed, principal: `user:${user}`, by }
  unit.record({ type: 'account.invited', at: now, fields })
  return { secret, endsAt }
}

/** Whose it is, while it counts. */
export async function invitedUser(reader: Reader, secret: string, now: Instant): Promise<string | undefined> {
  if (!/^tdi_[A-Za-z0-9_-]{43}$/.test(secret)) return undefined
  const row = await reader
    .selectFrom('invitation')
    .select('userId')
    .where('hash', '=', hashToken(secret))
    .where('endsAt', '>', boundInstant(now))
    .executeTakeFirst()
  return row?.userId
}

/** Of two at once the second waits, and finds it used. */
export async function lockInvitation({ tx, now }: Unit, secret: string): Promise<string | undefined> {
  await tx.selectFrom('invitation').select('userId').where('hash', '=', hashToken(secret)).forUpdate().execute()
  return invitedUser(tx, secret, now)
}

export const useInvitation = async ({ tx }: Unit, secret: string): Promise<void> =>
  void (await tx.deleteFrom('invitation').where('hash', '=', hashToken(secret)).execute())

export async function forgetPrinted({ tx, now }: Unit): Promise<void> {
  const together = instant(now - localLimits.startTogether)
  await tx
    .deleteFrom('invitation')
    .where('printed', '=', true)
    .where('createdAt', '<', boundInstant(together))
    .execute()
}
