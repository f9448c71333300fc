/** What statements do, in the words of privileges: by kind, with tables. */

import type { Act, StatementFacts, TableName } from './facts.ts'
import type { Use } from './ruling.ts'

export function usesOf(statements: readonly StatementFacts[]): readonly Use[] {
  const tables = new Map<string, Set<string>>()
  for (const { acts } of statements) {
    const inside = acts.length > 1
    for (const { kind, names } of acts.flatMap(partsOf)) {
      // The VALUES of an INSERT, and a SELECT of no table around other things, use nothing.
      if (names.length === 0 && inside && acts[0].kinds[0] !== kind) continue
      const known = tables.get(kind) ?? new Set()
      for (const name of names) known.add(written(name))
      tables.set(kind, known)
    }
  }
  return [...tables].map(([kind, names]) => ({ kind, tables: [...names].toSorted() }))
}

type Part = { readonly kind: string; readonly names: readonly TableName[] }

function partsOf({ type, kinds, targets, sources, readsTargets }: Act): readonly Part[] {
  const does = kinds.map((kind) => ({
    kind,
    names: type === 'SelectStmt' && kind !== 'SELECT INTO' ? sources : targets,
  }))
  const read = type === 'SelectStmt' ? [] : [...sources, ...(readsTargets ? targets : [])]
  return read.length > 0 ? [...does, { kind: 'SELECT', names: read }] : does
}

const written = ({ schema, name }: TableName): string => (schema === undefined ? name : `${schema}.${name}`)
