/** What a session used, added up. `compareUse` of core holds it against what a role gives. */

import type { UsedTables } from '@tidegate/core'
import { limits } from './limits.ts'
import type { Use } from './ruling.ts'

export type Usage = {
  readonly add: (uses: readonly Use[]) => void
  /** Sorted. What did not fit is counted, not told apart. */
  readonly used: () => { readonly tables: UsedTables; readonly left: number }
}

export function createUsage(): Usage {
  const kinds = new Map<string, Set<string>>()
  let left = 0

  function note(table: string, kind: string): void {
    const known = kinds.get(table)
    if (known) known.add(kind)
    else if (kinds.size < limits.usedTables) kinds.set(table, new Set([kind]))
    else left += 1
  }

  return {
    add: (uses) => {
      for (const { kind, tables } of uses) for (const table of tables.length > 0 ? tables : ['']) note(table, kind)
    },
    used: () => {
      const sorted = [...kinds].toSorted(([one], [other]) => (one < other ? -1 : 1))
      return { tables: Object.fromEntries(sorted.map(([table, set]) => [table, [...set].toSorted()])), left }
    },
  }
}
