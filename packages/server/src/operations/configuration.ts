import type { ConfigChange } from '../configuration/apply.ts'
import {
  applyConfiguration,
  approveChange,
  changeFromRow,
  getChangeRow,
  planConfiguration,
  rejectChange,
} from '../configuration/apply.ts'
import { reassessGrants, reassessRequests } from '../lifecycle/reassess.ts'
import { tendNow } from '../reconciler/tend.ts'
import { touchedResources } from '../configuration/plan.ts'
import type { HandlersOf, Services } from './handler.ts'
import { pageOf } from './pages.ts'

export const configurationHandlers: HandlersOf<
  'planConfig' | 'applyConfig' | 'listChanges' | 'getChange' | 'approveChange' | 'rejectChange'
> = {
  planConfig: {
    kind: 'plain',
    run: async ({ services, caller, input: { files } }) =>
      (await planConfiguration(services, services.db, { files, by: caller })).plan,
  },
  applyConfig: {
    kind: 'change',
    run: ({ services, caller, input: { files, base } }, unit) =>
      applyConfiguration(services, unit, { caller, files, ...(base !== undefined && { base }) }),
    after: ({ services }, output) => settleDown(services, output).then(() => output),
  },
  listChanges: {
    kind: 'plain',
    async run({ services, input: { status, limit, cursor } }) {
      let query = services.db.selectFrom('configurationChange').selectAll()
      if (status !== undefined) query = query.where('status', '=', status)
      if (cursor !== undefined) query = query.where('id', '<', cursor)
      return pageOf(
        await query
          .orderBy('id', 'desc')
          .limit(limit + 1)
          .execute(),
        limit,
        changeFromRow,
      )
    },
  },
  getChange: {
    kind: 'plain',
    run: async ({ services, input }) => changeFromRow(await getChangeRow(services.db, input.id)),
  },
  approveChange: {
    kind: 'change',
    run: ({ services, caller, input }, unit) => approveChange(services, unit, { caller, id: input.id }),
    after: ({ services }, output) => settleDown(services, output).then(() => output),
  },
  rejectChange: { kind: 'change', run: ({ caller, input }, unit) => rejectChange(unit, { caller, id: input.id }) },
}

/**
 * After a new version: its targets are tended before the answer goes out, so that whoever applied it can use it at
 * once, and live grants are asked about again. What fails here is due already, and the reconciler goes on with it.
 */
async function settleDown(services: Services, { version }: ConfigChange): Promise<void> {
  if (version === undefined) return
  const [before, after] = await Promise.all([
    services.configurations.at(services.db, version - 1),
    services.configurations.at(services.db, version),
  ])
  await reassessGrants(services, { filter: {}, because: 'policy-changed' })
  await reassessRequests(services)
  for (const resource of touchedResources(before.declared, after.declared))
    await tendNow(services, { resource, version })
}
