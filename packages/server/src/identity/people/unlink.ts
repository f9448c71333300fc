/** A sign-in at a provider is no longer one of our people. */

import type { Selectable } from 'kysely'
import { endGrants } from '../../lifecycle/end-grants.ts'
import type { Unit } from '../../store/change.ts'
import type { Tables } from '../../store/database.ts'
import { endLogins } from '../logins/logins.ts'
import { loginsOf } from './logout.ts'

export type LinkRow = Selectable<Tables['loginLink']>

type Which = {
  readonly provider: string
  readonly subject: string
  /** Principal key. Absent: configuration says that another sign-in is theirs. */
  readonly by?: string
}

/**
 * Whoever signed in by it does no longer, from this moment on, and what was opened through it ends: it may have been
 * someone else all along.
 */
export async function unlink(unit: Unit, { provider, subject, by }: Which): Promise<LinkRow | undefined> {
  const row = await unit.tx
    .deleteFrom('loginLink')
    .where('provider', '=', provider)
    .where('subject', '=', subject)
    .returningAll()
    .executeTakeFirst()
  if (!row) return undefined
  const logins = await loginsOf(unit, { provider, subject })
  const ended = await endLogins(unit, { provider, subject }, { reason: 'unlinked', ...(by !== undefined && { by }) })
  const note = `Who signs in at ${provider} by it is no longer taken for its holder.`
  const grants = await endGrants(unit, { logins }, { reason: 'fact-changed', note })
  const counts = { logins: ended.length, grants: grants.length }
  const fields = { provider, ...counts, principal: `user:${row.userId}`, subject, by }
  unit.record({ type: 'login.unlinked', at: unit.now, fields })
  return row
}
