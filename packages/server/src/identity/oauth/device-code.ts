/** The command line asks whether it was let in (RFC 8628, section 3.4). */

import type { Selectable } from 'kysely'
import { after } from '@tidegate/core'
import type { Instant, Millis } from '@tidegate/core'
import type { Unit } from '../../store/change.ts'
import { change } from '../../store/change.ts'
import type { Tables } from '../../store/database.ts'
import { instantParam } from '../../store/database.ts'
import { endLogins } from '../logins/logins.ts'
import { hashToken } from '../tokens.ts'
import { beginCommandLine } from './begin.ts'
import { checkCommandLine, checkKey } from './clients.ts'
import type { OAuthErrorCode } from './errors.ts'
import { OAuthError } from './errors.ts'
import { required } from './form.ts'
import type { GrantType, OAuthDeps, TokenAnswer, TokenRequest } from './grant-type.ts'

/** What is said where there is no token, by why. */
const refusals = {
  authorization_pending: 'Nobody has answered yet.',
  slow_down: 'Asked again too soon: wait five seconds longer.',
  access_denied: 'They said no.',
  expired_token: 'Nobody answered in time.',
  invalid_grant: 'The code is not good, was used before, or is not for this client.',
} as const satisfies Partial<Record<OAuthErrorCode, string>>

type Refusal = keyof typeof refusals

export const deviceCode: GrantType = async (deps, asked) => {
  checkCommandLine(asked)
  const presented = { code: required(asked.form, 'device_code'), keyThumbprint: checkKey(asked), client: asked.client }
  // Returned rather than thrown: when it asked has to be kept.
  const answer = await change(deps, (unit) => poll(deps, unit, presented))
  if (typeof answer === 'string') throw new OAuthError(answer, refusals[answer])
  return answer
}

type Presented = {
  readonly code: string
  readonly keyThumbprint: string
  readonly client: TokenRequest['client']
}

async function poll(
  deps: OAuthDeps,
  unit: Unit,
  { code, keyThumbprint, client }: Presented,
): Promise<TokenAnswer | Refusal> {
  const { tx, now } = unit
  const hash = hashToken(code)
  const row = await tx
    .selectFrom('deviceAuthorization')
    .selectAll()
    .where('hash', '=', hash)
    .forUpdate()
    .executeTakeFirst()
  if (!row || (row.keyThumbprint !== null && row.keyThumbprint !== keyThumbprint)) return 'invalid_grant'
  if (row.status === 'spent') return endReused(unit, row)
  if (now >= row.endsAt) return 'expired_token'
  if (row.status === 'refused') return 'access_denied'
  if (row.status === 'pending') return noteAsked(unit, row)
  const allowedBy = row.allowedBy as string
  const begun = await beginCommandLine(deps, unit, { allowedBy, keyThumbprint, client })
  const login = begun?.login ?? null
  await tx.updateTable('deviceAuthorization').set({ status: 'spent', login }).where('hash', '=', hash).execute()
  return begun?.answer ?? 'invalid_grant'
}

type Row = Selectable<Tables['deviceAuthorization']>

/** Whoever does not wait is told to wait longer from now on. */
async function noteAsked({ tx, now }: Unit, row: Row): Promise<Refusal> {
  const tooSoon = row.polledAt !== null && now < nextAt(row.polledAt, row)
  const intervalSeconds = tooSoon ? row.intervalSeconds + 5 : row.intervalSeconds
  await tx
    .updateTable('deviceAuthorization')
    .set({ polledAt: instantParam(now), intervalSeconds })
    .where('hash', '=', row.hash)
    .execute()
  return tooSoon ? 'slow_down' : 'authorization_pending'
}

/** Half a second for clocks and networks that are not even. */
const nextAt = (polledAt: Instant, { intervalSeconds }: Row): Instant =>
  after(polledAt, (intervalSeconds * 1_000 - 500) as Millis)

/** Two have the code, or the one lost the answer: nobody holds what came of it for certain. */
async function endReused(unit: Unit, { login }: Row): Promise<Refusal> {
  if (login !== null) await endLogins(unit, { ids: [login] }, { reason: 'reused' })
  return 'invalid_grant'
}
