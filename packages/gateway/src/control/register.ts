/** The grants that are live, as the control plane last told them. */

import { type Instant, parseInstant } from '@tidegate/core'
import type { GrantFacts, SyncAnswer } from './contract.ts'

export type LiveGrant = {
  readonly facts: GrantFacts
  readonly expiresAt: Instant
  /** Another one whenever something other than its end is told anew: what was asked for before may not hold any more. */
  readonly edition: number
}

/** What an answer changes for sessions that are open. */
export type Changes = {
  readonly ended: readonly { readonly grant: string; readonly reason: string }[]
  readonly moved: readonly LiveGrant[]
}

export type Register = {
  readonly get: (grant: string) => LiveGrant | undefined
  /** True once for each grant, for as long as it is here, whatever is told of it meanwhile. */
  readonly isNew: (grant: string) => boolean
  readonly take: (answer: Pick<SyncAnswer, 'whole' | 'grants' | 'ended'>) => Changes
  readonly list: () => Iterable<LiveGrant>
  readonly clear: () => void
}

/** Of a grant that is not there any more, without a word on why. */
export const unexplained = 'access has ended'

/** Of a session that began under rules that hold no longer. */
export const otherRules = 'the rules of this access have changed; connect again'

export function createRegister(): Register {
  const grants = new Map<string, LiveGrant>()
  /** Those that were new once. */
  const met = new Set<string>()
  let editions = 0

  const leave = (grant: string): void => {
    grants.delete(grant)
    met.delete(grant)
  }

  const remember = (facts: GrantFacts): LiveGrant | undefined => {
    const expiresAt = parseInstant(facts.expiresAt)
    const known = grants.get(facts.grant)
    if (expiresAt === undefined) {
      leave(facts.grant)
      return undefined
    }
    const isSame = known !== undefined && sameButForItsEnd(known.facts, facts)
    const grant = { facts, expiresAt, edition: isSame ? known.edition : ++editions }
    grants.set(facts.grant, grant)
    return known === undefined || known.expiresAt === expiresAt ? undefined : grant
  }
  /** Those that are not among them. */
  const missing = ({ grants: told }: Pick<SyncAnswer, 'grants'>): readonly string[] => {
    const there = new Set(told.map(({ grant }) => grant))
    return [...grants.keys()].filter((grant) => !there.has(grant))
  }

  return {
    get: (grant) => grants.get(grant),
    isNew(grant) {
      if (!grants.has(grant) || met.has(grant)) return false
      met.add(grant)
      return true
    },
    take(answer) {
      const reasons = new Map(answer.ended.map(({ grant, reason }) => [grant, reason]))
      // One that is told in the same breath as live again was ended before.
      const over = new Set([...reasons.keys(), ...(answer.whole ? missing(answer) : [])])
      for (const { grant } of answer.grants) if (!answer.whole || !reasons.has(grant)) over.delete(grant)
      for (const grant of over) leave(grant)
      const moved = answer.grants.map(remember).filter((grant) => grant !== undefined)
      return { ended: [...over].map((grant) => ({ grant, reason: reasons.get(grant) ?? unexplained })), moved }
    },
    list: () => grants.values(),
    clear() {
      grants.clear()
      met.clear()
    },
  }
}

/** Both come of one reader, which writes the members of a grant in one order. */
const sameButForItsEnd = (one: GrantFacts, other: GrantFacts): boolean =>
  JSON.stringify({ ...one, expiresAt: '' }) === JSON.stringify({ ...other, expiresAt: '' })
