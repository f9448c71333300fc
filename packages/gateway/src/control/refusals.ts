/**
 * What a guard refuses in one session, as it is told: the first by each rule at once, then how many there were, once in a
 * while and at the end. A client in a loop does not fill the log.
 */

import { formatInstant, type Instant } from '@tidegate/core'
import type { SessionReport } from './contract.ts'
import { controlLimits as limits } from './limits.ts'

export type Refusals = {
  readonly add: (refused: { readonly statement: number; readonly rule: string }) => void
  /** Tells what is not told yet. */
  readonly rest: () => void
}

type Refused = Extract<SessionReport, { what: 'refused' }>
type Counted = { first: number; last: number; count: number; told: number; toldAt: number }

type RefusalsDeps = {
  readonly session: string
  readonly now: () => Instant
  readonly tell: (report: Refused) => void
}

export function createRefusals({ session, now, tell }: RefusalsDeps): Refusals {
  const byRule = new Map<string, Counted>()

  const report = (rule: string, counted: Counted): void => {
    const { first, last, count } = counted
    const at = now()
    counted.told = count
    counted.toldAt = at
    tell({
      what: 'refused',
      session,
      at: formatInstant(at),
      rule: rule.slice(0, limits.ruleLength),
      first,
      last,
      count,
    })
  }
  return {
    add({ statement, rule }) {
      const counted = byRule.get(rule) ?? { first: statement, last: 0, count: 0, told: 0, toldAt: -Infinity }
      byRule.set(rule, counted)
      counted.last = statement
      counted.count += 1
      if (now() - counted.toldAt >= limits.refusedEveryMs) report(rule, counted)
    },
    rest() {
      for (const [rule, counted] of byRule) if (counted.count > counted.told) report(rule, counted)
    },
  }
}
