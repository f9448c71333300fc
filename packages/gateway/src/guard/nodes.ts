/**
 * The tree as libpg-query writes it. Where the grammar allows any node, it stands in an object of one key, its type in
 * capitals: `{ "SelectStmt": { … } }`. Where only one type can stand, there are its fields alone: `"relation": { … }`.
 */

export type Fields = Readonly<Record<string, unknown>>

export type TreeNode = { readonly type: string; readonly fields: Fields }

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Of the fields that stand without their type, which type it is. A test holds this to the types of the grammar. */
const typeOfField: Readonly<Record<string, string>> = {
  action: 'GrantStmt',
  alias: 'Alias',
  argType: 'TypeName',
  authrole: 'RoleSpec',
  base: 'CreateStmt',
  boolval: 'Boolean',
  bound: 'PartitionBoundSpec',
  bsval: 'BitString',
  collClause: 'CollateClause',
  constrrel: 'RangeVar',
  constructor: 'JsonAggConstructor',
  context_item: 'JsonValueExpr',
  cycle_clause: 'CTECycleClause',
  datatype: 'TypeName',
  expr: 'JsonValueExpr',
  extname: 'String',
  format: 'JsonFormat',
  fromsql: 'ObjectWithArgs',
  func: 'ObjectWithArgs',
  funccall: 'FuncCall',
  fval: 'Float',
  grantor: 'RoleSpec',
  identitySequence: 'RangeVar',
  infer: 'InferClause',
  into: 'IntoClause',
  intoClause: 'IntoClause',
  ival: 'Integer',
  join_using_alias: 'Alias',
  larg: 'SelectStmt',
  newowner: 'RoleSpec',
  newrole: 'RoleSpec',
  ofTypename: 'TypeName',
  onConflictClause: 'OnConflictClause',
  on_empty: 'JsonBehavior',
  on_error: 'JsonBehavior',
  opername: 'ObjectWithArgs',
  output: 'JsonOutput',
  over: 'WindowDef',
  owner: 'RoleSpec',
  partbound: 'PartitionBoundSpec',
  partspec: 'PartitionSpec',
  pathspec: 'JsonTablePathSpec',
  pktable: 'RangeVar',
  pubtable: 'PublicationTable',
  rarg: 'SelectStmt',
  rel: 'RangeVar',
  relation: 'RangeVar',
  returnType: 'TypeName',
  returning: 'JsonReturning',
  returningClause: 'ReturningClause',
  role: 'RoleSpec',
  search_clause: 'CTESearchClause',
  sequence: 'RangeVar',
  setstmt: 'VariableSetStmt',
  sourcetype: 'TypeName',
  storedtype: 'TypeName',
  sval: 'String',
  table: 'RangeVar',
  targettype: 'TypeName',
  tosql: 'ObjectWithArgs',
  typeName: 'TypeName',
  type_name: 'TypeName',
  typevar: 'RangeVar',
  user: 'RoleSpec',
  value: 'JsonValueExpr',
  view: 'RangeVar',
  withClause: 'WithClause',
  'CreateOpClassItem.name': 'ObjectWithArgs',
  'JsonArgument.val': 'JsonValueExpr',
  'JsonArrayAgg.arg': 'JsonValueExpr',
  'JsonObjectAgg.arg': 'JsonKeyValue',
  'PartitionCmd.name': 'RangeVar',
  'PLAssignStmt.val': 'SelectStmt',
}

/** A type that no table knows: it is allowed nowhere. */
export const unknownType = '?'

export function bareType(parent: string, field: string): string {
  const qualified = `${parent}.${field}`
  if (Object.hasOwn(typeOfField, qualified)) return typeOfField[qualified] ?? unknownType
  return Object.hasOwn(typeOfField, field) ? (typeOfField[field] ?? unknownType) : unknownType
}

/** Where a node stands in its parent: in a field, which may be a list. */
export type At = { readonly field: string; readonly index: number }

export function eachChild({ type, fields }: TreeNode, visit: (child: TreeNode, at: At) => void): void {
  for (const field of Object.keys(fields)) {
    const value = fields[field]
    if (typeof value !== 'object' || value === null) continue
    const items: readonly unknown[] = Array.isArray(value) ? value : [value]
    for (let index = 0; index < items.length; index += 1) {
      const child = nodeAt(items[index], { parent: type, field })
      if (child !== undefined) visit(child, { field, index })
    }
  }
}

function nodeAt(value: unknown, place: { readonly parent: string; readonly field: string }): TreeNode | undefined {
  if (!isFields(value)) return undefined
  const node = wrapped(value) ?? { type: bareType(place.parent, place.field), fields: value }
  // An absent item of a list is an object without anything in it.
  return node.type === unknownType && Object.keys(value).length === 0 ? undefined : node
}

const isCapital = (name: string): boolean => {
  const code = name.charCodeAt(0)
  return code >= 65 && code <= 90
}

/** The node of an object of one key that is a type. */
export function wrapped(value: unknown): TreeNode | undefined {
  if (!isFields(value)) return undefined
  const keys = Object.keys(value)
  const type = keys[0]
  if (keys.length !== 1 || type === undefined || !isCapital(type)) return undefined
  const fields = value[type]
  return isFields(fields) ? { type, fields } : undefined
}

export const textAt = (fields: Fields, name: string): string | undefined => {
  const value = fields[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

export const listAt = (fields: Fields, name: string): readonly unknown[] => {
  const value = fields[name]
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}

/** The texts of a list of `String` nodes. Other nodes are left out. */
export const stringsOf = (values: readonly unknown[]): readonly string[] =>
  values.flatMap((value) => {
    const node = wrapped(value)
    return node?.type === 'String' ? (textAt(node.fields, 'sval') ?? []) : []
  })
