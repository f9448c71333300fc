/** Bugs that are planted, so that the simulation is seen to fail: each with the invariant that tells of it. */

import type { CloseOutcome } from '@tidegate/connectors'
import { after, hours, instant } from '@tidegate/core'
import type { Principal } from '@tidegate/core'
import { grantView } from '../../packages/server/src/operations/views.ts'
import { findGrant } from '../../packages/server/src/store/grants.ts'
import type { invariants } from './invariants.ts'
import type { Planted } from './world.ts'

/** Those that are checked at every moment, and those that follow from an answer or from quiet. */
export type InvariantName = keyof typeof invariants | 'pass-leaves-nothing-due' | 'the-log-verifies'

export type PlantedBug = Planted & {
  readonly caughtBy: InvariantName
  /** The first seed to look from. */
  readonly seed: number
}

const nothingToClose: CloseOutcome = { outcome: 'closed', existed: true, sessionsEnded: 0 }

export const plantedBugs: Readonly<Record<string, PlantedBug>> = {
  'a connector that says closed and does nothing': {
    caughtBy: 'nothing-open-without-a-grant',
    seed: 1,
    disguise: (connector) => ({ ...connector, close: async () => nothingToClose }),
  },
  'a connector that says closed when it does not know': {
    caughtBy: 'nothing-open-without-a-grant',
    seed: 15,
    disguise: (connector) => ({
      ...connector,
      async close(grant) {
        const outcome = await connector.close(grant)
        return outcome.outcome === 'closed' ? outcome : nothingToClose
      },
    }),
  },
  'a target that is told of a later end': {
    caughtBy: 'the-target-knows-the-end',
    seed: 1,
    disguise: (connector) => ({
      ...connector,
      open: (lease) => connector.open({ ...lease, expiresAt: after(lease.expiresAt, hours(1)) }),
    }),
  },
  'a reconciler that is one millisecond late': { caughtBy: 'pass-leaves-nothing-due', seed: 1, lagMs: 1 },
  'changes without entries': {
    caughtBy: 'entries-tell-the-state',
    seed: 1,
    tamper: (text) => (text.includes('insert into audit_entry') ? 'leave-out' : undefined),
  },
  'an end that only updates the row': {
    caughtBy: 'entries-tell-the-state',
    seed: 2,
    handlers: (real) => ({
      ...real,
      endGrant: {
        kind: 'change',
        async run({ input: { id } }, { tx, now }) {
          const end = { state: 'ending', endReason: 'done', endAt: new Date(now) }
          await tx.updateTable('accessGrant').set(end).where('id', '=', id).where('state', '=', 'active').execute()
          const grant = await findGrant(tx, id)
          if (!grant) throw new Error('gone')
          return grantView({ ...grant, end: grant.end ?? { reason: 'done', at: instant(now) } })
        },
      },
    }),
  },
  'answers that are taken and not kept': {
    caughtBy: 'what-was-answered-is-kept',
    seed: 1,
    tamper: (text) => (/insert into "?approval/.test(text) ? 'leave-out' : undefined),
  },
  'people who approve what they asked for': {
    caughtBy: 'enough-other-people',
    seed: 3,
    handlers: (real) => ({
      ...real,
      approveRequest: {
        kind: 'change',
        run(call, unit) {
          const { findPrincipal } = call.services
          const disguised = (...asked: Parameters<typeof findPrincipal>): Principal | undefined => {
            const found = findPrincipal(...asked)
            return found && { ...found, id: 'someone-else' }
          }
          return real.approveRequest.run({ ...call, services: { ...call.services, findPrincipal: disguised } }, unit)
        },
      },
    }),
  },
  'requests that are filed again when they are sent again': { caughtBy: 'asked-once', seed: 12, withoutKeys: true },
  'a log that forgets which entries it has': {
    caughtBy: 'the-log-verifies',
    seed: 1,
    tamper: (text) => (text.includes('update audit_entry set leaf_index') ? 'leave-out' : undefined),
  },
}
