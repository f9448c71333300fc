/**
 * A person let a command line in: it gets a login of its own, which proves what their browser's does, and no longer. One
 * that has such a login, and asks anew with the same key, goes on with that, so that what rests on it stays.
 */

import type { Authentication, LoginId, Millis } from '@tidegate/core'
import { after, earlier } from '@tidegate/core'
import type { Snapshot } from '../../configuration/snapshot.ts'
import type { Unit } from '../../store/change.ts'
import { instantParam } from '../../store/database.ts'
import { acrOfProof } from '../factors/need.ts'
import type { Client, LoginRow } from '../logins/logins.ts'
import { beginLogin, isBelieved, makeSecret } from '../logins/logins.ts'
import { findPrincipal } from '../principals.ts'
import { hashToken } from '../tokens.ts'
import { issueAccessToken } from './access-tokens.ts'
import type { OAuthDeps, TokenAnswer } from './grant-type.ts'

type LetIn = {
  /** The browser login of whoever allowed it. */
  readonly allowedBy: string
  readonly keyThumbprint: string
  readonly client: Client
}

/** @returns `undefined`: who allowed it is not believed any more */
export async function beginCommandLine(
  deps: OAuthDeps,
  unit: Unit,
  { allowedBy, keyThumbprint, client }: LetIn,
): Promise<{ readonly login: LoginId; readonly answer: TokenAnswer } | undefined> {
  const { tx, now } = unit
  const { configurations, findPrincipals } = deps
  const snapshot = await configurations.current(tx)
  const { identity } = snapshot.declared
  // Locked, so that whoever ends it now ends this one, too.
  const browser = await tx.selectFrom('login').selectAll().where('id', '=', allowedBy).forUpdate().executeTakeFirst()
  if (!browser || !isBelieved(browser, { identity, now })) return undefined
  const ref = { kind: 'user', id: browser.userId } as const
  if (!(await findPrincipal(findPrincipals, tx, { snapshot, ref, now }))) return undefined
  const own = await findOwn(unit, { browser, keyThumbprint, snapshot })
  const begun = own
    ? await strengthen(unit, own, { browser, snapshot })
    : await beginLogin(unit, {
        ...provedBy(browser),
        kind: 'command-line',
        client,
        lasts: (endOf(browser, snapshot) - now) as Millis,
        key: { thumbprint: keyThumbprint, allowedBy },
      })
  const access = await issueAccessToken(unit, { user: browser.userId, login: begun.id, keyThumbprint })
  return { login: begun.id, answer: { ...access, refresh_token: begun.secret, ...proofOf(browser) } }
}

/** What a resource would ask about (RFC 9470, section 6), for clients that want to know before they call. */
function proofOf({ authentication }: LoginRow): Pick<TokenAnswer, 'acr' | 'auth_time'> {
  const proof = authentication as Authentication
  const acr = acrOfProof(proof)
  return { ...(acr !== undefined && { acr }), auth_time: Math.floor(proof.at / 1_000) }
}

const endOf = (browser: LoginRow, { declared }: Snapshot) =>
  earlier(browser.endsAt, after(browser.startedAt, declared.identity.sessions.longest))

const provedBy = ({ userId, provider, subject, providerSession, authentication }: LoginRow) => ({
  user: userId,
  provider,
  subject,
  ...(providerSession !== null && { providerSession }),
  authentication: authentication as Authentication,
})

type Asking = { readonly browser: LoginRow; readonly keyThumbprint: string; readonly snapshot: Snapshot }

/** The login that this key has already, of the same person as their source knows them. */
async function findOwn({ tx, now }: Unit, { browser, keyThumbprint, snapshot }: Asking): Promise<LoginRow | undefined> {
  const row = await tx
    .selectFrom('login')
    .selectAll()
    .where('userId', '=', browser.userId)
    .where('provider', '=', browser.provider)
    .where('subject', '=', browser.subject)
    .where('keyThumbprint', '=', keyThumbprint)
    .where('endedAt', 'is', null)
    .forUpdate()
    .executeTakeFirst()
  return row && isBelieved(row, { identity: snapshot.declared.identity, now }) ? row : undefined
}

type Stronger = { readonly browser: LoginRow; readonly snapshot: Snapshot }

/** It proves what the browser does now, and ends with that one, and no later than before. */
async function strengthen(
  unit: Unit,
  own: LoginRow,
  { browser, snapshot }: Stronger,
): Promise<{ readonly id: LoginId; readonly secret: string }> {
  const { tx, now, runtime } = unit
  const id = own.id as LoginId
  const secret = makeSecret('command-line', runtime.random)
  const at = instantParam(now)
  await tx
    .updateTable('login')
    .set({
      authentication: JSON.stringify(browser.authentication),
      allowedBy: browser.id,
      endsAt: instantParam(earlier(own.endsAt, endOf(browser, snapshot))),
      secretHash: hashToken(secret),
      // Not even for a moment: whoever has a copy of it is not to be carried along.
      earlierHash: null,
      earlierUntil: null,
      rotatedAt: at,
      lastUsedAt: at,
    })
    .where('id', '=', id)
    .execute()
  await tx.deleteFrom('accessToken').where('login', '=', id).execute()
  const { method, mfa, phishingResistant } = browser.authentication as Authentication
  const fields = { login: id, factor: 'browser', method, mfa, phishingResistant, principal: `user:${own.userId}` }
  unit.record({ type: 'login.strengthened', at: now, fields })
  return { id, secret }
}
