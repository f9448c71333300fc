/** Someone whom a provider confirmed: who they are here, their groups, and a login. */

import type { Millis } from '@tidegate/core'
import { after } from '@tidegate/core'
import type { DeclaredProvider } from '../../configuration/schema.ts'
import type { Lifecycle } from '../../lifecycle/context.ts'
import type { Unit } from '../../store/change.ts'
import { change } from '../../store/change.ts'
import { reassessPeople } from '../directory/reassess-people.ts'
import { setGroupsOf } from '../directory/write.ts'
import type { Begun, Client } from '../logins/logins.ts'
import { beginLogin, endLogins } from '../logins/logins.ts'
import { findPrincipal } from '../principals.ts'
import { recordRefusal } from '../refusals.ts'
import type { SignedIn } from './claims.ts'
import type { RefusalCause } from './person.ts'
import { identify } from './person.ts'

export type Confirmed = {
  readonly provider: DeclaredProvider
  readonly signedIn: SignedIn
  readonly client: Client
  /** The login that the same browser had: it makes room, so that nobody finds themselves in another's. */
  readonly before?: string
}

export type Outcome = (Begun & { readonly user: string; readonly lasts: Millis }) | { readonly refused: RefusalCause }

type Decided = { readonly outcome: Outcome; readonly moved?: string }

export async function signIn(lifecycle: Lifecycle, confirmed: Confirmed): Promise<Outcome> {
  const { outcome, moved } = await change(lifecycle, (unit) => decide(lifecycle, unit, confirmed))
  if (moved !== undefined) await reassessPeople(lifecycle, [moved])
  return outcome
}

async function decide(lifecycle: Lifecycle, unit: Unit, confirmed: Confirmed): Promise<Decided> {
  const { provider, signedIn, client } = confirmed
  const { tx, now } = unit
  const snapshot = await lifecycle.configurations.current(tx)
  const who = await identify(unit, { snapshot, provider, signedIn })
  if ('refused' in who) return refuse(unit, confirmed, who.refused)
  const { user } = who
  const ref = { kind: 'user', id: user } as const
  const principal = await findPrincipal(lifecycle.findPrincipals, tx, { snapshot, ref, now })
  if (!principal) return refuse(unit, confirmed, 'suspended')
  const lasts = snapshot.declared.identity.sessions.longest
  const groups = { user, source: provider.id, groups: signedIn.groups ?? [], endsAt: after(now, lasts) }
  const moved = await setGroupsOf(unit, groups)
  if (confirmed.before !== undefined) await endLogins(unit, { ids: [confirmed.before] }, { reason: 'replaced' })
  const { subject, providerSession, authentication } = signedIn
  const session = providerSession === undefined ? {} : { providerSession }
  const login = { kind: 'browser', user, provider: provider.id, subject, authentication, client, lasts } as const
  const begun = await beginLogin(unit, { ...login, ...session })
  return { outcome: { ...begun, user, lasts }, ...(moved && { moved: user }) }
}

/** Nothing of it is kept but that it happened. */
async function refuse(unit: Unit, { provider, signedIn, client }: Confirmed, cause: RefusalCause): Promise<Decided> {
  const source = provider.id
  const { subject } = signedIn
  const { address } = client
  const fields = { provider: source, cause, subject, address }
  await recordRefusal(unit, { type: 'login.refused', source, cause, subject, address, fields })
  return { outcome: { refused: cause } }
}
