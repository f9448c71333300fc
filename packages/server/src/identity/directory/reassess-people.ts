/** Someone is in other groups, or not there any more: the one question again, for all that rests on them. */

import { actingFor } from '../principals.ts'
import type { Lifecycle } from '../../lifecycle/context.ts'
import type { Reassessed } from '../../lifecycle/reassess.ts'
import { reassessGrants } from '../../lifecycle/reassess.ts'

/** Their own grants, and those of who acts for them. What is missed here is found within a minute, as any fact is. */
export async function reassessPeople(lifecycle: Lifecycle, users: readonly string[]): Promise<Reassessed> {
  if (users.length === 0) return { asked: 0, ended: [] }
  const snapshot = await lifecycle.configurations.current(lifecycle.db)
  const principals = users.flatMap((user) => actingFor(snapshot, `user:${user}`))
  let asked = 0
  const ended: string[] = []
  for (let from = 0; from < principals.length; from += atOnce) {
    const filter = { principals: principals.slice(from, from + atOnce) }
    const some = await reassessGrants(lifecycle, { filter, because: 'fact-changed' })
    asked += some.asked
    ended.push(...some.ended)
  }
  return { asked, ended }
}

/** A group has more people than a statement has parameters. */
const atOnce = 1_000
