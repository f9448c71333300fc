/** Asks for targets to be tended, by whoever comes first. Part of the change that makes it needful. */

import type { Unit } from '../store/change.ts'
import { instantParam } from '../store/database.ts'

/** Now, and once more where it is being tended: waits until that is over. */
export async function scheduleTending(unit: Unit, resources: readonly string[]): Promise<void> {
  if (resources.length === 0) return
  const dueAt = instantParam(unit.now)
  await unit.tx
    .insertInto('targetState')
    .values(resources.map((resource) => ({ resource, dueAt, error: null, configuration: null, tendedAt: null })))
    .onConflict((conflict) => conflict.column('resource').doUpdateSet({ dueAt }))
    .execute()
  unit.hint({ to: 'targets', at: unit.now })
}

/**
 * Now, unless it is being tended, for which nobody waits: what that has not seen, the next regular round does.
 */
export async function scheduleTendingSoon(unit: Unit, resource: string): Promise<void> {
  const { numUpdatedRows } = await unit.tx
    .updateTable('targetState')
    .set({ dueAt: instantParam(unit.now) })
    .where('resource', 'in', (eb) =>
      eb.selectFrom('targetState').select('resource').where('resource', '=', resource).forUpdate().skipLocked(),
    )
    .executeTakeFirstOrThrow()
  if (numUpdatedRows > 0n) unit.hint({ to: 'targets', at: unit.now })
}
