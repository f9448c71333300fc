/** Hides what rules name in everything that a target says to a client. One mask for a grant, opened anew for each session. */

import { createTextCache } from '../guard/cache.ts'
import { type Parser, sharedParser } from '../guard/parser.ts'
import { type Catalog, readCatalog } from './catalog.ts'
import { isCopying, readCopiesOnly } from './copy-plan.ts'
import { limits } from './limits.ts'
import { createDetecting, createMaskers, type Detecting, type Maskers } from './methods.ts'
import { noOutputs } from './outputs.ts'
import { type Plan, readPlan, type Refused, unreadable } from './plan.ts'
import { questionOf } from './question.ts'
import { createResults, type Results } from './results.ts'
import type { MaskRules } from './rules.ts'

export type MaskRefusal = { readonly rule: string; readonly message: string; readonly remedy: string }

/** What a text's statements give, in order. */
export type MaskPlans = {
  readonly plans: readonly Plan[]
  /** Where several masks make up one: those of each. */
  readonly parts?: readonly MaskPlans[]
}

export type Judged = MaskPlans | { readonly refusal: MaskRefusal }

export type SessionMask = {
  /** Takes any text, and never throws. */
  readonly judge: (text: string) => Judged
  /** Of one run of a text, or of all runs of what was prepared. */
  readonly results: (plans: MaskPlans) => Results
  /** Something masked has got a name at the target: whatever SQL runs by one may give it. */
  readonly named: () => void
  /** SQL gave it that name: so may whatever the protocol runs by one, even if it was something else before. */
  readonly namedBySql: () => void
  readonly hasSqlNames: () => boolean
  /** A statement that has to do with something masked was let through. */
  readonly touched: () => void
  readonly hasTouched: () => boolean
  /** Absent: nothing is looked for in what is said. */
  readonly detecting: Detecting | undefined
}

export type Mask = {
  /** For the target, before the session's first statement: one value comes of it. */
  readonly question: string
  /** @throws where the answer cannot be used, or nothing can be loaded to read texts with */
  readonly open: (answer: string) => Promise<SessionMask>
}

/**
 * `key` is that of hashes: at least 16 bytes that nobody else has. With the same one, equal values are equal from one
 * session to the next.
 *
 * @throws RangeError for a key that is too short
 */
export function createMask(rules: MaskRules, { key }: { readonly key: Uint8Array }): Mask {
  if (key.length < limits.keyBytes) throw new RangeError(`the key of a mask has at least ${limits.keyBytes} bytes`)
  const maskers = createMaskers(key)
  const detecting = createDetecting(rules.detect ?? [], maskers)
  return {
    question: questionOf(rules),
    async open(answer) {
      const parser = await sharedParser()
      const parse = (text: string) => {
        const parsed = parser.parse(text)
        return 'fault' in parsed ? undefined : parsed.statements
      }
      return sessionMask({ rules, maskers, detecting, parser, catalog: readCatalog(answer, { rules, parse }) })
    },
  }
}

type Made = {
  readonly rules: MaskRules
  readonly maskers: Maskers
  readonly detecting: Detecting | undefined
  readonly parser: Parser
  readonly catalog: Catalog
}

function sessionMask(made: Made): SessionMask {
  const { maskers, detecting, catalog } = made
  const cache = createTextCache<Judged>({
    texts: limits.plans,
    length: limits.plansLength,
    textLength: limits.planTextLength,
  })
  let names = false
  let sqlNames = false
  let touched = false
  return {
    judge(text) {
      const known = cache.get(text)
      if (known !== undefined) return known
      const judged = judge(text, made)
      // A refusal may be passing: while no parser is ready, nothing can be read.
      if ('plans' in judged) cache.set(text, judged)
      return judged
    },
    results: ({ plans }) => createResults({ plans, catalog, maskers, detecting, hasNames: () => names }),
    named() {
      names = true
    },
    namedBySql() {
      names = true
      sqlNames = true
    },
    hasSqlNames: () => sqlNames,
    touched() {
      touched = true
    },
    hasTouched: () => touched,
    detecting,
  }
}

function judge(text: string, made: Made): Judged {
  try {
    return made.rules.columns === undefined ? judgeCopies(text, made) : judgeAll(text, made)
  } catch {
    // Out of stack, in a tree that is too deep.
    return refusalOf(unreadable('is nested too deeply to be read'))
  }
}

function judgeAll(text: string, { rules, parser, catalog }: Made): Judged {
  const parsed = parser.parse(text)
  if ('fault' in parsed) return refusalOf(unreadable(parsed.fault))
  const plans: Plan[] = []
  for (const statement of parsed.statements) {
    const plan = readPlan(statement, { rules, ...catalog })
    if ('refusal' in plan) return refusalOf(plan)
    plans.push(plan)
  }
  return { plans }
}

/** Where values are only looked at, the one thing to know of a text is how a COPY in it writes its rows. */
function judgeCopies(text: string, { parser }: Made): Judged {
  if (!/copy/i.test(text)) return { plans: [] }
  const parsed = parser.parse(text)
  if ('fault' in parsed) return refusalOf(unreadable(parsed.fault))
  const plans: Plan[] = []
  for (const statement of parsed.statements) {
    const copy = isCopying(statement) ? readCopiesOnly(statement) : undefined
    if (copy !== undefined && 'problem' in copy.form) return refusalOf(copyRefusal(copy.form.problem))
    plans.push({ ...plainPlan, ...(copy && { copy }) })
  }
  return { plans }
}

const plainPlan: Plan = { outputs: noOutputs, isNamed: false, givesName: false, touches: false, goesOn: false }

const copyRefusal = (message: string): Refused => ({
  refusal: { message, remedy: 'Write rows as text or CSV, with the options that these have.' },
})

const refusalOf = ({ refusal }: Refused): Judged => ({ refusal: { rule: 'mask', ...refusal } })
