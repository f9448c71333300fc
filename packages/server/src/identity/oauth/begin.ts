/** A person let a command line in: it gets a login of its own, which proves what their browser's does, and no longer. */

import type { Authentication, LoginId, Millis } from '@tidegate/core'
import { after, earlier } from '@tidegate/core'
import type { Unit } from '../../store/change.ts'
import type { Client, LoginRow } from '../logins/logins.ts'
import { beginLogin, isBelieved } from '../logins/logins.ts'
import { findPrincipal } from '../principals.ts'
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
  const endsAt = earlier(browser.endsAt, after(browser.startedAt, identity.sessions.longest))
  const begun = await beginLogin(unit, {
    ...provedBy(browser),
    kind: 'command-line',
    client,
    lasts: (endsAt - now) as Millis,
    key: { thumbprint: keyThumbprint, allowedBy },
  })
  const access = await issueAccessToken(unit, { user: browser.userId, login: begun.id, keyThumbprint })
  return { login: begun.id, answer: { ...access, refresh_token: begun.secret } }
}

const provedBy = ({ userId, provider, subject, providerSession, authentication }: LoginRow) => ({
  user: userId,
  provider,
  subject,
  ...(providerSession !== null && { providerSession }),
  authentication: authentication as Authentication,
})
