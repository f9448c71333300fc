/** A provider says that someone is logged out: their logins end, and what was opened through them. */

import type { DeclaredProvider } from '../../configuration/schema.ts'
import { endGrants } from '../../lifecycle/end-grants.ts'
import type { Lifecycle } from '../../lifecycle/context.ts'
import type { Unit } from '../../store/change.ts'
import { change } from '../../store/change.ts'
import { endLogins } from '../logins/logins.ts'
import type { Logout } from './logout-token.ts'
import { readLogoutToken, spend } from './logout-token.ts'
import type { Providers } from './provider.ts'

type Deps = Lifecycle & { readonly providers: Providers }
type Said = { readonly provider: DeclaredProvider; readonly token: string }

/** @returns whether it was a logout token of the provider that had not been used before */
export async function takeLogout(deps: Deps, { provider, token }: Said): Promise<boolean> {
  const { providers, runtime } = deps
  const logout = await readLogoutToken(token, { provider, providers, now: runtime.now() }).catch(() => undefined)
  if (!logout) return false
  return change(deps, async (unit) => {
    const fresh = await spend(unit, { issuer: provider.issuer, tokenId: logout.tokenId })
    if (fresh) await logOut(unit, provider, logout)
    return fresh
  })
}

async function logOut(unit: Unit, provider: DeclaredProvider, { subject, providerSession }: Logout): Promise<void> {
  const which = {
    provider: provider.id,
    ...(subject !== undefined && { subject }),
    ...(providerSession !== undefined && { providerSession }),
  }
  const logins = await loginsOf(unit, which)
  const ended = await endLogins(unit, which, { reason: 'provider-logout' })
  const fields = { provider: provider.id, logins: ended.length, subject }
  unit.record({ type: 'login.logout-received', at: unit.now, fields })
  const note = `${provider.id} said that its holder is logged out.`
  await endGrants(unit, { logins }, { reason: 'fact-changed', note })
}

/** Those that are over by now, too: what was opened through them may still be open. */
export async function loginsOf(
  { tx }: Unit,
  which: { readonly provider: string; readonly subject?: string; readonly providerSession?: string },
): Promise<string[]> {
  let query = tx.selectFrom('login').select('id').where('provider', '=', which.provider)
  if (which.subject !== undefined) query = query.where('subject', '=', which.subject)
  if (which.providerSession !== undefined) query = query.where('providerSession', '=', which.providerSession)
  return (await query.execute()).map(({ id }) => id)
}
