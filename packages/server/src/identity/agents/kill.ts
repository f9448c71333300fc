/** An agent is stopped by itself: its logins and grants end, and those of agents that act for it. Its people go on. */

import type { Snapshot } from '../../configuration/snapshot.ts'
import { endGrants } from '../../lifecycle/end-grants.ts'
import type { Unit } from '../../store/change.ts'
import { instantParam } from '../../store/database.ts'
import { endMachineLogins } from '../machines/machine-logins.ts'
import { actingFor } from '../principals.ts'

type Killing = { readonly snapshot: Snapshot; readonly agent: string; readonly by: string; readonly reason: string }

/** Again for the same agent: what came to be since ends, too, and who killed it first stays on record. */
export async function killAgent(
  unit: Unit,
  { snapshot, agent, by, reason }: Killing,
): Promise<{ readonly logins: number; readonly grants: number }> {
  await unit.tx
    .insertInto('killedAgent')
    .values({ agent, killedAt: instantParam(unit.now), killedBy: by, reason })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const principals = actingFor(snapshot, `agent:${agent}`)
  const logins = await endMachineLogins(unit, { principals }, { reason: 'killed', by })
  const grants = await endGrants(unit, { principals }, { reason: 'revoked', by, note: reason })
  const counts = { logins: logins.length, grants: grants.length }
  unit.record({ type: 'agent.killed', at: unit.now, fields: { agent, ...counts, by, reason } })
  return counts
}

export async function restoreAgent(unit: Unit, { agent, by }: { agent: string; by: string }): Promise<void> {
  await unit.tx.deleteFrom('killedAgent').where('agent', '=', agent).execute()
  unit.record({ type: 'agent.restored', at: unit.now, fields: { agent, by } })
}
