/** Judges texts: reads them with PostgreSQL's grammar, remembers what was in them, and asks every check. */

import { analyse } from './analyse.ts'
import { askingFor } from './asking.ts'
import { createTextCache, type TextCache } from './cache.ts'
import { asksFor, checks, readyRules, type CheckId, type ReadyRules } from './checks.ts'
import type { StatementFacts } from './facts.ts'
import { limits } from './limits.ts'
import { type Parser, sharedParser } from './parser.ts'
import type { GuardRules } from './rules.ts'
import type { Guard, Refusal, Ruling } from './ruling.ts'
import { isOfSkeleton, skeletonOf } from './skeleton.ts'
import { createTemplates, type Templates } from './templates.ts'
import { usesOf } from './uses.ts'

export type Guards = {
  /** The guard of these rules. Sessions with the same rules share one, and all guards share what they have read. */
  readonly guardFor: (rules: GuardRules) => Guard
  /** What is remembered at the moment, of texts and of skeletons. */
  readonly remembered: () => { readonly texts: number; readonly length: number }
}

/** What a text says, and what the last guard that was asked said of it. */
type Known = {
  readonly facts: readonly StatementFacts[] | Refusal
  last: { readonly by: Guard; readonly ruling: Ruling } | undefined
}

/** @throws where the parser cannot be loaded */
export async function createGuards(): Promise<Guards> {
  const parser = await sharedParser()
  const { cachedTexts: texts, cachedLength: length, cachedTextLength: textLength } = limits
  const byText = createTextCache<Known>({ texts, length, textLength })
  const bySkeleton = createTextCache<Known>({ texts, length, textLength })
  const atSight = createTemplates<Known>(limits.templates)
  const shared = new Map<string, Guard>()

  function guardFor(rules: GuardRules): Guard {
    const key = JSON.stringify(rules)
    const known = shared.get(key)
    if (known) return known
    // Sessions keep the guard they have. One that is made twice costs another judging of what it meets.
    if (shared.size >= limits.sharedGuards) shared.clear()
    const ready = readyRules(rules)
    const guard: Guard = {
      judge: (text) => judgeText(text, { guard, rules: ready, parser, byText, bySkeleton, atSight }),
    }
    shared.set(key, guard)
    return guard
  }

  return {
    guardFor,
    remembered() {
      const [one, other] = [byText.size(), bySkeleton.size()]
      return { texts: one.texts + other.texts, length: one.length + other.length }
    },
  }
}

type Judging = {
  readonly guard: Guard
  readonly rules: ReadyRules
  readonly parser: Parser
  readonly byText: TextCache<Known>
  readonly bySkeleton: TextCache<Known>
  readonly atSight: Templates<Known>
}

function judgeText(text: string, judging: Judging): Ruling {
  const { byText, bySkeleton, atSight } = judging
  try {
    const known = atSight.find(text) ?? byText.get(text)
    if (known !== undefined) return rulingOn(known, judging)
    const skeleton = text.length > limits.cachedTextLength ? undefined : skeletonOf(text)
    const kin = skeleton === undefined ? undefined : bySkeleton.get(skeleton)
    if (skeleton === undefined || kin === undefined) return readAndRule({ text, skeleton }, judging)
    atSight.add(skeleton, kin)
    return rulingOn(kin, judging)
  } catch {
    return unreadable('cannot be judged')
  }
}

function rulingOn(known: Known, { guard, rules }: Judging): Ruling {
  if (known.last?.by === guard) return known.last.ruling
  const { facts } = known
  const ruling = 'ruling' in facts ? facts : rule(facts, rules)
  known.last = { by: guard, ruling }
  return ruling
}

type Unread = { readonly text: string; readonly skeleton: string | undefined }

function readAndRule({ text, skeleton }: Unread, judging: Judging): Ruling {
  const { facts, passing } = read(text, judging.parser)
  const known: Known = { facts, last: undefined }
  const ruling = rulingOn(known, judging)
  if (passing) return ruling
  if (skeleton !== undefined && !('ruling' in facts) && isOfSkeleton(facts)) judging.bySkeleton.set(skeleton, known)
  else judging.byText.set(text, known)
  return ruling
}

type Reading = { readonly facts: Known['facts']; readonly passing: boolean }

function read(text: string, parser: Parser): Reading {
  const parsed = parser.parse(text)
  if ('fault' in parsed) return { facts: unreadable(parsed.fault), passing: parsed.passing === true }
  return { facts: parsed.statements.map(analyse), passing: false }
}

const unreadable = (fault: string): Refusal => ({
  ruling: 'refuse',
  rule: 'unreadable',
  message: `the statement ${fault}`,
  remedy: 'What cannot be read is not sent. Write it in the SQL of PostgreSQL 18, in parts if it is long.',
})

/** One refused statement refuses the text: it is one transaction, and was written as one. */
function rule(statements: readonly StatementFacts[], rules: ReadyRules): Ruling {
  const refusal = firstOf(statements, (facts) => refusalOf(facts, rules))
  if (refusal) return refusal
  const uses = usesOf(statements)
  const [first, ...others] = statements.flatMap((facts) => asksFor(facts, rules) ?? [])
  return first === undefined ? { ruling: 'allow', uses } : askingFor([first, ...others], uses)
}

function refusalOf(facts: StatementFacts, rules: ReadyRules): Refusal | undefined {
  for (const id of Object.keys(checks) as CheckId[]) {
    const message = checks[id].finds(facts, rules)
    if (message !== undefined) return { ruling: 'refuse', rule: id, message, remedy: checks[id].remedy }
  }
  return undefined
}

function firstOf<T, R>(items: readonly T[], find: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}
