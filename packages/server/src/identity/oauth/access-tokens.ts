/** Access tokens: `tda_` and 256 random bits, of which only the hash is kept. Short, and bound to a key. */

import { after } from '@tidegate/core'
import type { Selectable } from 'kysely'
import type { Instant, LoginId } from '@tidegate/core'
import type { Unit } from '../../store/change.ts'
import type { Reader, Tables } from '../../store/database.ts'
import { boundInstant, instantParam } from '../../store/database.ts'
import { identityLimits } from '../limits.ts'
import { hashToken } from '../tokens.ts'
import type { TokenAnswer } from './grant-type.ts'

export type AccessTokenRow = Selectable<Tables['accessToken']>

type Holder = { readonly user: string; readonly login: LoginId; readonly keyThumbprint: string }

/** Those of the same login that are over go with it. */
export async function issueAccessToken(
  { tx, now, runtime }: Unit,
  { user, login, keyThumbprint }: Holder,
): Promise<TokenAnswer> {
  const token = `tda_${Buffer.from(runtime.random(32)).toString('base64url')}`
  await tx.deleteFrom('accessToken').where('login', '=', login).where('endsAt', '<=', boundInstant(now)).execute()
  const endsAt = instantParam(after(now, identityLimits.accessToken))
  const whose = { principal: `user:${user}`, login, keyThumbprint }
  await tx
    .insertInto('accessToken')
    .values({ hash: hashToken(token), ...whose, issuedAt: instantParam(now), endsAt })
    .execute()
  return { access_token: token, token_type: 'DPoP', expires_in: identityLimits.accessToken / 1_000 }
}

/** One that is not over by its own time. Whether its login is, is another question. */
export async function findAccessToken(reader: Reader, hash: Buffer, now: Instant): Promise<AccessTokenRow | undefined> {
  return reader
    .selectFrom('accessToken')
    .selectAll()
    .where('hash', '=', hash)
    .where('endsAt', '>', boundInstant(now))
    .executeTakeFirst()
}
