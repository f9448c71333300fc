/** What people do with Tidegate itself: they ask for its roles, use them, break glass, and review that. */

import { administrationRoles, askers, people, roles, variants } from './configuration.ts'
import type { GrantRow } from './look.ts'
import type { Call } from './process.ts'
import type { Row, Turn } from './turn.ts'
import { advance, ask, nothing, operate } from './turn.ts'
import { applyBody, callAs } from './world.ts'

const someone = ({ random }: Turn): string => `user:${random.pick(people)}`

/** Calls that take a role of Tidegate itself. */
const uses: readonly ((turn: Turn, as: string) => Call | undefined)[] = [
  (_, as) => callAs(as, { method: 'GET', path: '/v1/findings' }),
  (_, as) => callAs(as, { method: 'GET', path: '/v1/changes' }),
  (_, as) => callAs(as, { method: 'GET', path: '/v1/audit/entries' }),
  ({ random }, as) => callAs(as, { method: 'POST', path: '/v1/config/plan', body: applyBody(random.below(3)) }),
  ({ random }, as) =>
    callAs(as, { method: 'POST', path: '/v1/config/apply', body: applyBody(random.below(variants.length)) }),
  ({ random, world }, as) => {
    const finding = random.pick(world.sight.findings.filter(({ closed_at }) => closed_at === null))
    return finding && callAs(as, { method: 'POST', path: `/v1/findings/${finding.id}/close`, body: { note: 'seen' } })
  },
]

export const administrationSteps = {
  askToAdminister: {
    weight: 5,
    take: (turn) => {
      const { random, step } = turn
      const principal = random.chance(0.9) ? someone(turn) : (random.pick(askers) as string)
      const key = `administers-${step.salt}`
      const body = { role: random.pick(administrationRoles), duration: random.pick(['30s', '5m', '20m']), reason: key }
      return ask(turn, { principal, key, body })
    },
  },
  administer: {
    // At the very instant that a role comes to its end, just before it and just after, by the clock of whom they ask.
    weight: 9,
    take: async (turn) => {
      const { random, world, step } = turn
      const held = [...world.sight.grants.values()].filter(
        ({ resource, activated_at }) => resource === 'tidegate' && activated_at !== null,
      )
      const grant = random.chance(0.8) ? random.pick(held) : undefined
      const call = random.pick(uses)?.(turn, grant?.principal ?? someone(turn))
      if (!call) return undefined
      const left = leftOf(grant, world.clock(step.process))
      const moved = random.chance(0.5) && left > 1 ? `${await advance(world, left + random.below(3) - 1)}; ` : ''
      return `${moved}${await operate(turn, `${call.as} ${call.method} ${call.path}`, call)}`
    },
  },
  breakGlass: {
    weight: 5,
    take: (turn) => {
      const { random, step } = turn
      const by = random.chance(0.8) ? `user:${random.pick(['alice', 'bob'])}` : (random.pick(askers) as string)
      const role = random.pick(['orders/admin', 'ledger/write', 'tidegate/owner', ...roles]) as string
      const body = { role, duration: random.pick(['30s', '5m', '10m', '30m']), reason: `broken ${step.salt}` }
      return operate(
        turn,
        `${by} breaks glass ${JSON.stringify(body)}`,
        callAs(by, { method: 'POST', path: '/v1/break-glass', body }),
      )
    },
  },
  review: {
    weight: 3,
    take: (turn) => {
      const { random, world } = turn
      const open = world.sight.reviews.filter(({ closed_at }) => closed_at === null)
      const review = random.pick(random.chance(0.9) ? open : world.sight.reviews)
      if (!review) return nothing
      const by = random.chance(0.6) ? `user:${random.pick(['carol', 'erin'])}` : someone(turn)
      const path = `/v1/reviews/${review.id}/close`
      return operate(
        turn,
        `review ${review.id} by ${by}`,
        callAs(by, { method: 'POST', path, body: { comment: 'looked at' } }),
      )
    },
  },
} as const satisfies Record<string, Row>

const leftOf = (grant: GrantRow | undefined, clock: number): number =>
  grant?.state === 'active' ? (grant.expires_at ?? 0) - clock : 0
