/** A browser brought a code back to the command line that sent it there (RFC 6749, section 4.1, with PKCE). */

import type { Selectable } from 'kysely'
import type { Unit } from '../../store/change.ts'
import { change } from '../../store/change.ts'
import type { Tables } from '../../store/database.ts'
import { instantParam } from '../../store/database.ts'
import { endLogins } from '../logins/logins.ts'
import { hashToken } from '../tokens.ts'
import { beginCommandLine } from './begin.ts'
import { checkCommandLine, checkKey } from './clients.ts'
import { OAuthError } from './errors.ts'
import { required } from './form.ts'
import type { GrantType, OAuthDeps, TokenAnswer, TokenRequest } from './grant-type.ts'
import { sha256Url } from './hash.ts'

type Presented = {
  readonly code: string
  readonly verifier: string
  readonly redirectUri: string
  readonly keyThumbprint: string
}

export const authorizationCode: GrantType = async (deps, asked) => {
  checkCommandLine(asked)
  const { form } = asked
  const presented = {
    code: required(form, 'code'),
    verifier: required(form, 'code_verifier'),
    redirectUri: required(form, 'redirect_uri'),
    keyThumbprint: checkKey(asked),
  }
  // A refusal is returned rather than thrown: that the code is spent has to be kept.
  const answer = await change(deps, (unit) => redeem(deps, unit, { asked, presented }))
  if (!answer)
    throw new OAuthError('invalid_grant', 'The code is not good, was used before, or is not for this client.')
  return answer
}

type Redeeming = { readonly asked: TokenRequest; readonly presented: Presented }

async function redeem(deps: OAuthDeps, unit: Unit, { asked, presented }: Redeeming): Promise<TokenAnswer | undefined> {
  const { tx, now } = unit
  const hash = hashToken(presented.code)
  const row = await tx
    .selectFrom('authorizationCode')
    .selectAll()
    .where('hash', '=', hash)
    .forUpdate()
    .executeTakeFirst()
  if (!row) return undefined
  if (row.spentAt !== null) return endReused(unit, row)
  // It counts once, whatever comes of it.
  const spentAt = instantParam(now)
  await tx.updateTable('authorizationCode').set({ spentAt }).where('hash', '=', hash).execute()
  if (now >= row.endsAt || !isFor(row, presented)) return undefined
  const { keyThumbprint } = presented
  const begun = await beginCommandLine(deps, unit, { allowedBy: row.allowedBy, keyThumbprint, client: asked.client })
  if (!begun) return undefined
  await tx.updateTable('authorizationCode').set({ login: begun.login }).where('hash', '=', hash).execute()
  return begun.answer
}

type Row = Selectable<Tables['authorizationCode']>

const isFor = (row: Row, { verifier, redirectUri, keyThumbprint }: Presented): boolean =>
  row.redirectUri === redirectUri &&
  row.challenge === sha256Url(verifier) &&
  (row.keyThumbprint === null || row.keyThumbprint === keyThumbprint)

/** Two have it: what came of it the first time is not believed either (RFC 6749, section 4.1.2). */
async function endReused(unit: Unit, { login }: Row): Promise<undefined> {
  if (login !== null) await endLogins(unit, { ids: [login] }, { reason: 'reused' })
  return undefined
}
