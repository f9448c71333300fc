/**
 * Several masks on one session. Each rewrites what those before it have left, so that nothing is shown that one of them
 * hides, and what one of them refuses is refused. None has to know of another.
 */

import type { Frame } from '../postgres/wire/client-messages.ts'
import { createMask, type Judged, type Mask, type MaskPlans, type SessionMask } from './mask.ts'
import type { Detecting } from './methods.ts'
import type { Plan } from './plan.ts'
import type { Results, Rewritten } from './results.ts'
import type { MaskMethod, MaskRules } from './rules.ts'

/** @throws RangeError as `createMask` does */
export function createMasks(list: readonly MaskRules[], held: { readonly key: Uint8Array }): Mask {
  return inTurn((list.length === 1 ? list : inOrder(list)).map((rules) => createMask(rules, held)))
}

const strictestFirst: readonly MaskMethod[] = ['null', 'full', 'hash', 'partial']

/** Detectors have to see values before a column's mask has left a part of them, and the strictest of them first. */
function inOrder(list: readonly MaskRules[]): readonly MaskRules[] {
  const detect = list
    .flatMap((rules) => rules.detect ?? [])
    .toSorted((a, b) => strictestFirst.indexOf(a.by) - strictestFirst.indexOf(b.by))
  const columns = list.flatMap(({ detect: _, ...rules }) => (rules.columns === undefined ? [] : [rules]))
  return detect.length === 0 ? columns : [{ detect }, ...columns]
}

function inTurn(masks: readonly Mask[]): Mask {
  const [only] = masks
  if (only !== undefined && masks.length === 1) return only
  const questions = masks.map(({ question }) => `(${question})::pg_catalog.json`)
  return {
    question: `select pg_catalog.json_build_array(${questions.join(', ')})::pg_catalog.text`,
    async open(answer) {
      const answers = JSON.parse(answer) as readonly unknown[]
      return allOf(await Promise.all(masks.map((mask, at) => mask.open(JSON.stringify(answers[at])))))
    },
  }
}

function allOf(masks: readonly SessionMask[]): SessionMask {
  const each = (act: (mask: SessionMask) => void) => () => masks.forEach(act)
  return {
    judge: (text) => judgeAll(masks, text),
    results: ({ plans, parts }) => allResults(masks.map((mask, at) => mask.results(parts?.[at] ?? { plans }))),
    named: each((mask) => mask.named()),
    namedBySql: each((mask) => mask.namedBySql()),
    hasSqlNames: () => masks.some((mask) => mask.hasSqlNames()),
    touched: each((mask) => mask.touched()),
    hasTouched: () => masks.some((mask) => mask.hasTouched()),
    detecting: allDetecting(masks.flatMap(({ detecting }) => detecting ?? [])),
  }
}

function judgeAll(masks: readonly SessionMask[], text: string): Judged {
  const parts: MaskPlans[] = []
  for (const mask of masks) {
    const judged = mask.judge(text)
    if ('refusal' in judged) return judged
    parts.push(judged)
  }
  return { plans: parts.flatMap(({ plans }) => plans), parts }
}

function allResults(list: readonly Results[]): Results {
  const described = (read: (results: Results) => 'read' | 'malformed') =>
    list.map(read).includes('malformed') ? 'malformed' : 'read'
  return {
    describe: (message) => described((results) => results.describe(message)),
    row: (message, formats) => rewriteInTurn(list, message, (results, row) => results.row(row, formats)),
    beginCopy: (message) => described((results) => results.beginCopy(message)),
    copyRow: (message) => rewriteInTurn(list, message, (results, row) => results.copyRow(row)),
    next: () => list.forEach((results) => results.next()),
    plan: () => planOfAll(list.flatMap((results) => results.plan() ?? [])),
  }
}

function rewriteInTurn(
  list: readonly Results[],
  message: Frame,
  rewrite: (results: Results, row: Frame) => Rewritten,
): Rewritten {
  let row = message
  for (const results of list) {
    const rewritten = rewrite(results, row)
    if (rewritten === 'malformed') return rewritten
    if (rewritten !== 'same') row = { buffer: rewritten, start: 0, end: rewritten.length }
  }
  return row === message ? 'same' : row.buffer
}

/** What any of them says of the statement under way. */
function planOfAll(plans: readonly Plan[]): Plan | undefined {
  const [first] = plans
  if (first === undefined) return undefined
  return {
    ...first,
    touches: plans.some(({ touches }) => touches),
    goesOn: plans.some(({ goesOn }) => goesOn),
  }
}

function allDetecting(list: readonly Detecting[]): Detecting | undefined {
  if (list.length === 0) return undefined
  return (text) => {
    let current: string | null | undefined
    for (const detecting of list) {
      const found = detecting(current ?? text)
      if (found === null) return null
      current = found ?? current
    }
    return current
  }
}
