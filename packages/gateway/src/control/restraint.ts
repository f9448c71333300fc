/** What a session is held to: the guards, settings, caps and mask that the rules of its access come to together. */

import { bothAsk } from '../guard/asking.ts'
import { type CapCounter, createCapCounter } from '../guard/caps.ts'
import type { Guards } from '../guard/guard.ts'
import { startupParameters } from '../guard/parameters.ts'
import { type GuardRules, readRules, readRulesText } from '../guard/rules.ts'
import type { Guard, Ruling } from '../guard/ruling.ts'
import type { Mask } from '../mask/mask.ts'
import { readMask } from '../mask/rules.ts'
import { createMasks } from '../mask/together.ts'
import type { Release } from './contract.ts'

export type Restraint = {
  /** Absent: nothing is judged. */
  readonly guard?: Guard
  /** For one session. Absent: there are none. */
  readonly caps?: CapCounter
  /** Absent: results are shown as they are. */
  readonly mask?: Mask
  readonly parameters: Readonly<Record<string, string>>
}

/** Rules that cannot be read, or that cannot hold together, open nothing. */
export type Restrained =
  | { readonly outcome: 'restrained'; readonly restraint: Restraint }
  | { readonly outcome: 'unusable'; readonly problems: readonly string[] }

type Held = { readonly guards: Guards; readonly random: (count: number) => Uint8Array }

/** For one session. */
export function restrain(
  { guards, random }: Held,
  { guards: values, masks }: Pick<Release, 'guards' | 'masks'>,
): Restrained {
  const read = values.map((value) => (typeof value === 'string' ? readRulesText(value) : readRules(value)))
  const problems = read.flatMap((one) => ('problems' in one ? one.problems : []))
  const hidden = masks.map(readMask)
  problems.push(
    ...hidden.flatMap((one) => ('problems' in one ? one.problems.map((problem) => `mask: ${problem}`) : [])),
  )
  const rules = read.flatMap((one) => ('rules' in one ? [one.rules] : []))
  const hiding = hidden.flatMap((one) => ('rules' in one ? [one.rules] : []))
  const { parameters, conflicts } = parametersOf(rules)
  problems.push(...conflicts)
  if (problems.length > 0) return { outcome: 'unusable', problems }
  // Hashes are equal within a session, and say nothing from one to the next.
  const key = random(maskKeyBytes)
  const caps = capsOf(rules)
  return {
    outcome: 'restrained',
    restraint: {
      parameters,
      ...(rules.length > 0 && { guard: allOf(rules.map(guards.guardFor)) }),
      ...(caps && { caps }),
      ...(hiding.length > 0 && { mask: createMasks(hiding, { key }) }),
    },
  }
}

const maskKeyBytes = 32

/** Lets through what all of them let through. The first to refuse says why; otherwise all that ask are asked for. */
export function allOf(guards: readonly Guard[]): Guard {
  const [only] = guards
  if (only !== undefined && guards.length === 1) return only
  return {
    judge(text) {
      let answer: Ruling = { ruling: 'allow', uses: [] }
      for (const { judge } of guards) {
        const ruling = judge(text)
        if (ruling.ruling === 'refuse') return ruling
        // They all read the same uses out of the text.
        if (answer.ruling === 'ask' && ruling.ruling === 'ask') answer = bothAsk(answer, ruling)
        else if (answer.ruling === 'allow') answer = ruling
      }
      return answer
    },
  }
}

/** A guard reads bare names by its search path, and the session has one: two that differ would both be wrong. */
function parametersOf(rules: readonly GuardRules[]): {
  readonly parameters: Readonly<Record<string, string>>
  readonly conflicts: readonly string[]
} {
  const all = rules.map(startupParameters)
  const paths = new Set(all.flatMap(({ search_path: path }) => path ?? []))
  const conflicts = paths.size > 1 ? [`searchPath: the rules of this access differ: ${[...paths].join(' and ')}`] : []
  return { parameters: Object.assign({}, ...all) as Record<string, string>, conflicts }
}

function capsOf(rules: readonly GuardRules[]): CapCounter | undefined {
  const maxRows = Math.min(...rules.map((one) => one.maxRows ?? Infinity))
  const maxBytes = Math.min(...rules.map((one) => one.maxBytes ?? Infinity))
  return Math.min(maxRows, maxBytes) === Infinity ? undefined : createCapCounter({ maxRows, maxBytes })
}
