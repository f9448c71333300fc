/**
 * Walks the tree of a statement once and gathers the facts that rules need. Iterative, because a tree may be as deep as
 * the parser lets it be. Few nodes have a gatherer; through everything else the walk just goes on.
 */

import type { StatementFacts } from './facts.ts'
import { gatherers, newAct, newGathering, type Gathered, type GatheredAct, type Step } from './gather.ts'
import { eachChild, isFields, unknownType, wrapped, type At, type Fields, type TreeNode } from './nodes.ts'
import { scopeBehind, scopeInside, type Scope } from './scope.ts'
import { statementRow } from './statements.ts'

export function analyse(statement: Fields): StatementFacts {
  const root = wrapped(statement) ?? { type: unknownType, fields: statement }
  const act = newAct(root)
  const gathered = newGathering(act)
  const steps: Step[] = [{ ...root, place: 'RawStmt.stmt', scope: undefined, act }]
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    gathered.nodes.add(step.type)
    gatherers.get(step.type)?.(step, gathered)
    pushChildren(step, { steps, gathered })
  }
  return { ...gathered, mentions: [...gathered.mentions.values()], functions: [...gathered.functions.values()] }
}

type Walk = { readonly steps: Step[]; readonly gathered: Gathered }

function pushChildren(step: Step, { steps, gathered }: Walk): void {
  const { type, act } = step
  const scopeOf = scopesIn(step)
  eachChild(step, (child, at) => {
    const place = `${type}.${at.field}`
    // Named, not spread: V8 takes four times as long for the whole walk otherwise.
    const { type: childType, fields } = child
    steps.push({ type: childType, fields, place, scope: scopeOf(at), act: actOf(child, { act, gathered }) })
  })
}

/** What each child sees: the queries of a `WITH` see those before them, and what is beside the `WITH` sees them all. */
function scopesIn({ type, fields, scope }: Step): (at: At) => Scope | undefined {
  if (type === 'WithClause') {
    const behind = scopeBehind(fields, scope)
    return ({ index }) => scopeInside(fields, behind, index)
  }
  const { withClause } = fields
  if (!isFields(withClause)) return () => scope
  const behind = scopeBehind(withClause, scope)
  return ({ field }) => (field === 'withClause' ? scope : behind)
}

/** A statement inside another is an act of its own, but a SELECT in a SELECT is one with it. */
function actOf(
  node: TreeNode,
  { act, gathered }: { readonly act: GatheredAct; readonly gathered: Gathered },
): GatheredAct {
  if (statementRow(node.type) === undefined) return act
  const made = newAct(node)
  if (node.type === act.type && made.kinds[0] === act.kinds[0]) return act
  gathered.acts.push(made)
  return made
}
