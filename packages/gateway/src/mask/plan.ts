/** What becomes of a statement under a mask: it is refused, or there is a plan for what it gives. */

import { dangerousFunctions, changingFunctions, settingFunction } from '../guard/functions.ts'
import { nameMatcher, shown } from '../guard/names.ts'
import { listAt, stringsOf, wrapped, type Fields } from '../guard/nodes.ts'
import { type CopyPlan, readCopy } from './copy-plan.ts'
import { noOutputs, outputsOf, type Outputs } from './outputs.ts'
import { type Surroundings, tableOf, type Taint, taintOf } from './taint.ts'
import { namesIn, type Node } from './tree.ts'

export type Plan = {
  readonly outputs: Outputs
  /** It runs what was given a name before: what that may give is known of the session only. */
  readonly isNamed: boolean
  /** Something masked has a name from here on. */
  readonly givesName: boolean
  /** What it says of failing may hold something masked. */
  readonly touches: boolean
  /** It ends or goes on with what other statements have begun. */
  readonly goesOn: boolean
  readonly copy?: CopyPlan
}

export type Refused = { readonly refusal: { readonly message: string; readonly remedy: string } }

const refused = (message: string, remedy: string): Refused => ({ refusal: { message, remedy } })

export function readPlan(statement: Fields, surroundings: Surroundings): Plan | Refused {
  const taint = taintOf(statement, surroundings)
  const root = taint.nodes[0]
  const fault = faultIn(taint)
  if (fault !== undefined) return fault
  if (root?.type !== 'CopyStmt') return planOf(taint)
  return copyPlan(root.fields, { taint, surroundings })
}

function planOf(taint: Taint): Plan {
  const type = taint.nodes[0]?.type ?? ''
  return {
    outputs: withResults.has(type) ? outputsOf(taint) : noOutputs,
    isNamed: type === 'ExecuteStmt' || taint.nodes.some((node) => node.type === 'FetchStmt'),
    givesName: naming.has(type) && taint.touches,
    touches: taint.touches,
    goesOn: goingOn.has(type),
  }
}

type Copying = { readonly taint: Taint; readonly surroundings: Surroundings }

function copyPlan(copy: Fields, { taint, surroundings }: Copying): Plan | Refused {
  const plan = planOf(taint)
  if (copy['is_from'] === true) return plan
  const read = readCopy(copy, surroundings)
  const remedy = 'Name the columns that are wanted, one by one, as text or CSV: COPY t (a, b) TO STDOUT.'
  if ('problem' in read) return refused(read.problem, remedy)
  if (copy['filename'] !== undefined && taint.touches)
    return refused('COPY to a file of the target cannot be masked', remedy)
  return { ...plan, copy: read }
}

const withResults: ReadonlySet<string> = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'])
const naming: ReadonlySet<string> = new Set(['PrepareStmt', 'DeclareCursorStmt'])
const goingOn: ReadonlySet<string> = new Set(['ExecuteStmt', 'FetchStmt', 'ClosePortalStmt', 'TransactionStmt'])

/** Statements whose tables, columns and values are followed, or that have none. */
const followed: ReadonlySet<string> = new Set([
  ...withResults,
  ...naming,
  ...goingOn,
  'CopyStmt',
  'TruncateStmt',
  'LockStmt',
  'ExplainStmt',
  'DeallocateStmt',
  'VariableSetStmt',
  'VariableShowStmt',
  'ConstraintsSetStmt',
  'DiscardStmt',
  'ListenStmt',
  'UnlistenStmt',
  'NotifyStmt',
  'CreateStmt',
  'CreateTableAsStmt',
  'ViewStmt',
  'IndexStmt',
  'CreateSeqStmt',
  'CheckPointStmt',
  'VacuumStmt',
  'RefreshMatViewStmt',
])

type Check = (node: Node, at: { readonly taint: Taint; readonly index: number }) => Refused | undefined

function faultIn(taint: Taint): Refused | undefined {
  for (const [index, node] of taint.nodes.entries()) {
    if (node.type.endsWith('Stmt') && !followed.has(node.type)) {
      return refused(
        `${shown(node.type.replace(/Stmt$/, ''))} may show masked values in ways that are not followed`,
        'Send queries and changes of rows by themselves; what has to stay is put in place by who administers the target.',
      )
    }
    const fault = checks[node.type]?.(node, { taint, index })
    if (fault !== undefined) return fault
  }
  return undefined
}

const statistics = ['pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs', 'pg_statistic', 'pg_statistic_ext_data']
const isUnseen = nameMatcher(dangerousFunctions.flatMap(({ names }) => names))
const isChanging = nameMatcher([...changingFunctions, settingFunction])

const movedTo = (where: string): Refused =>
  refused(
    `what is masked may not be written to ${where}, where it would not be masked`,
    'Leave the masked columns out, or change them by values of your own.',
  )

/** What the mask could not follow, or what would take something masked to where it is not. */
const checks: Readonly<Record<string, Check>> = {
  RangeVar({ fields }) {
    const { schema, name } = tableOf(fields)
    if (!statistics.includes(name) && schema !== 'pg_toast') return undefined
    return refused(`${shown(name)} shows what is in masked columns`, 'Leave it out.')
  },
  FuncCall({ fields }, { taint, index }) {
    const name = namesIn(fields['funcname']).at(-1) ?? ''
    if (isUnseen(name)) return refused(`the function ${shown(name)} may show masked values`, 'Leave the function out.')
    return taint.isTainted(index) && isChanging(name) ? movedTo('a setting, a channel or a sequence') : undefined
  },
  IntoClause: (node, { taint }) => (taint.isTainted(node.parent) ? movedTo('a table') : undefined),
  CreateTableAsStmt({ fields }, { taint, index }) {
    const isExecute = wrapped(fields['query'])?.type === 'ExecuteStmt'
    return isExecute || taint.isTainted(index) ? movedTo('a table') : undefined
  },
  ViewStmt: (_node, { taint, index }) => (taint.isTainted(index) ? movedTo('a view') : undefined),
  CreateStmt({ fields }, { taint }) {
    const parents = [...listAt(fields, 'inhRelations'), ...listAt(fields, 'tableElts')]
    const isOfTable = parents.some((parent) => ['RangeVar', 'TableLikeClause'].includes(wrapped(parent)?.type ?? ''))
    return isOfTable && taint.touches ? movedTo('a table of the same shape') : undefined
  },
  InsertStmt: ({ fields }, { taint }) => (taint.holds(fields['selectStmt']) ? movedTo('a table') : undefined),
  UpdateStmt: ({ fields }, { taint }) => assigned(taint, fields['targetList']),
  OnConflictClause: ({ fields }, { taint }) => assigned(taint, fields['targetList']),
  MergeWhenClause({ fields }, { taint }) {
    const values = listAt(fields, 'values').some((value) => taint.holds(value))
    return values ? movedTo('a table') : assigned(taint, fields['targetList'])
  },
}

function assigned(taint: Taint, targets: unknown): Refused | undefined {
  const items: readonly unknown[] = Array.isArray(targets) ? targets : []
  const bad = items.some((item) => {
    const { name, val } = wrapped(item)?.fields ?? {}
    return taint.holds(val) && columnNamed(val) !== name
  })
  return bad ? movedTo('another column') : undefined
}

/** `email = excluded.email`: what was masked by its name goes on to be. */
function columnNamed(value: unknown): string | undefined {
  const node = wrapped(value)
  return node?.type === 'ColumnRef' ? stringsOf(listAt(node.fields, 'fields')).at(-1) : undefined
}

/** For people, of a statement that does not read. */
export const unreadable = (fault: string): Refused =>
  refused(`the statement ${fault}`, 'What cannot be read is not sent. Write it in the SQL of PostgreSQL 18.')
