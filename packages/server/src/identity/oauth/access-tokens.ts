/** Access tokens: `tda_` and 256 random bits, of which only the hash is kept. Short, and bound to a key. */

import { after } from '@tidegate/core'
import type { Instant, LoginId } from '@tidegate/core'
import type { Unit } from '../../store/change.ts'
import type { Reader } from '../../store/database.ts'
import { boundInstant, instantParam } from '../../store/database.ts'
import { identityLimits } from '../limits.ts'
import type { LoginRow } from '../logins/logins.ts'
import { hashToken } from '../tokens.ts'
import type { TokenAnswer } from './grant-type.ts'

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

/** The login that it is of, and the key that it is bound to, while it is not over by its own time. Whether the login is, is another question. */
export const findAccessToken = (
  reader: Reader,
  hash: Buffer,
  now: Instant,
): Promise<(LoginRow & { readonly key: string | null }) | undefined> =>
  reader
    .selectFrom('accessToken')
    .innerJoin('login', 'login.id', 'accessToken.login')
    .selectAll('login')
    .select('accessToken.keyThumbprint as key')
    .where('accessToken.hash', '=', hash)
    .where('accessToken.endsAt', '>', boundInstant(now))
    .executeTakeFirst()
