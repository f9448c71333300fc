/** A statement's tree as a list in which parents stand before their children, so that a loop walks it however deep it is. */

import { eachChild, isFields, textAt, unknownType, wrapped, type Fields, type TreeNode } from '../guard/nodes.ts'

export type Node = TreeNode & {
  /** Of its parent in the list; of the root, -1. */
  readonly parent: number
  /** Of the parent, that it stands in. */
  readonly field: string
  /** Its outputs go by names, in a subquery of FROM or in a `WITH`. */
  readonly isNameable: boolean
}

type Open = Omit<Node, 'isNameable'> & { readonly isNameable: boolean }

export function listTree(statement: Fields): readonly Node[] {
  const root = wrapped(statement) ?? { type: unknownType, fields: statement }
  const nodes: Node[] = []
  const open: Open[] = [{ ...root, parent: -1, field: '', isNameable: false }]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const parent = nodes.length
    nodes.push(node)
    const isNameable = isNamed(node)
    eachChild(node, (child, { field }) => void open.push({ ...child, parent, field, isNameable }))
  }
  return nodes
}

function isNamed({ type, isNameable }: Open): boolean {
  if (type === 'RangeSubselect' || type === 'CommonTableExpr') return true
  return type === 'SubLink' ? false : isNameable
}

/** The name and the names of columns of an alias. */
export function aliasOf(alias: unknown): { readonly name?: string; readonly columns: readonly string[] } {
  if (!isFields(alias)) return { columns: [] }
  const name = textAt(alias, 'aliasname')
  return { ...(name !== undefined && { name }), columns: namesIn(alias['colnames']) }
}

/** Of a list of `String` nodes. */
export function namesIn(value: unknown): readonly string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : []
  return items.flatMap((item) => {
    const node = wrapped(item)
    return node?.type === 'String' ? (textAt(node.fields, 'sval') ?? []) : []
  })
}
