/** Which of the columns that a query gives may hold something masked, where the target does not say whose they are. */

import { isFields, listAt, stringsOf, wrapped } from '../guard/nodes.ts'
import { armsOf, type Taint } from './taint.ts'

/** A column of a result: by its place among so many, and by its name where that is known. */
export type Place = { readonly index: number; readonly count: number; readonly name: string | undefined }

export type Outputs = (place: Place) => boolean

export const noOutputs: Outputs = () => false

/** What is written in one place of a list of outputs. */
type Target = { readonly isTainted: boolean; readonly star: 'none' | 'columns' | 'parts' }

/** One list of outputs, in the order of the text. `undefined`: rows of values, which have no such list. */
export type Arm = readonly Target[] | undefined

/** The lists of outputs of a statement: of each part of a union, or of what it returns. */
export function armsIn(taint: Taint): readonly Arm[] {
  const { nodes } = taint
  const root = nodes[0]
  if (root === undefined) return []
  const read = (list: readonly unknown[]): Arm => list.map((target) => targetOf(target, taint))
  if (root.type === 'SelectStmt') {
    return armsOf(root.fields).map((arm) =>
      listAt(arm, 'valuesLists').length > 0 ? undefined : read(listAt(arm, 'targetList')),
    )
  }
  const { returningClause } = root.fields
  // Rows that were not asked for come of a rule of the table, which may give anything.
  return [isFields(returningClause) ? read(listAt(returningClause, 'exprs')) : []]
}

function targetOf(target: unknown, taint: Taint): Target {
  const value = wrapped(wrapped(target)?.fields['val'])
  const isTainted = taint.holds(target)
  if (value?.type !== 'ColumnRef' && value?.type !== 'A_Indirection') return { isTainted, star: 'none' }
  const path = listAt(value.fields, value.type === 'ColumnRef' ? 'fields' : 'indirection')
  const isStar = stringsOf(path).length < path.length && wrapped(path.at(-1))?.type === 'A_Star'
  if (!isStar) return { isTainted, star: 'none' }
  return { isTainted, star: value.type === 'ColumnRef' ? 'columns' : 'parts' }
}

export function outputsOf(taint: Taint): Outputs {
  const arms = armsIn(taint)
  const isUnion = arms.length > 1
  return (place) => arms.some((arm) => isMaskedIn(arm, place, { taint, isUnion }))
}

type In = { readonly taint: Taint; readonly isUnion: boolean }

function isMaskedIn(arm: Arm, { index, count, name }: Place, { taint, isUnion }: In): boolean {
  if (arm === undefined) return taint.isTainted(0)
  const first = arm.findIndex(({ star }) => star !== 'none')
  if (first < 0 || index < first) return arm[index]?.isTainted ?? true
  const last = arm.findLastIndex(({ star }) => star !== 'none')
  const fromEnd = count - index
  if (fromEnd < arm.length - last) return arm[arm.length - fromEnd]?.isTainted ?? true
  // Somewhere among what stars give: there are only names to tell columns apart, and of a union's first part at that.
  const inside = arm.slice(first, last + 1).filter(({ isTainted }) => isTainted)
  if (inside.length === 0) return false
  const areNamed = !isUnion && inside.every(({ star }) => star === 'columns')
  return !areNamed || name === undefined || taint.isTaintedName(name)
}
