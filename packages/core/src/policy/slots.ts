/**
 * Names for the policy sets that Cedar keeps parsed. Cedar's cache has no removal, only replacement under the same
 * name; so the names are few and reused, the least recently used first, and a name given up is overwritten with
 * nothing. What a dropped set leaves behind is bounded by that, and goes as other sets are asked.
 */

import type { CheckParseAnswer, PolicySet as CedarPolicies } from '@cedar-policy/cedar-wasm/nodejs'
import type { Slice } from './slice.ts'

type SlotLimits = { readonly slots: number; readonly slotPolicies: number }
type Preparse = (name: string, policies: CedarPolicies) => CheckParseAnswer

export type Slots = {
  /** The name under which Cedar holds this slice. Throws where Cedar refuses it. */
  readonly nameOf: (owner: object, slice: Slice) => string
}

export function createSlots(limits: SlotLimits, preparse: Preparse): Slots {
  // The order of insertion is the order of use.
  const held = new Map<string, { readonly name: string; readonly size: number }>()
  // Cedar's cache is shared by every copy of this package in the thread; the address keeps their names apart.
  const free = Array.from({ length: limits.slots }, (_, i) => `${import.meta.url}#${i}`)
  const numberOf = numbering()
  let size = 0

  function parse(name: string, slice: Pick<Slice, 'policies'>): void {
    const answer = preparse(name, { staticPolicies: Object.fromEntries(slice.policies.map((p) => [p.id, p.text])) })
    if (answer.type === 'failure') throw new Error(answer.errors.map((error) => error.message).join('; '))
  }

  function release([key, slot]: [string, { readonly name: string; readonly size: number }]): void {
    parse(slot.name, { policies: [] })
    held.delete(key)
    free.push(slot.name)
    size -= slot.size
  }

  function take(room: number): string {
    for (const oldest of held) {
      if (free.length > 0 && size + room <= limits.slotPolicies) break
      release(oldest)
    }
    const name = free.at(-1)
    if (name === undefined) throw new Error('there is no slot for a policy set')
    return name
  }

  return {
    nameOf(owner, slice) {
      const key = `${numberOf(owner)}:${slice.key}`
      const known = held.get(key)
      const slot = known ?? { name: take(slice.policies.length), size: slice.policies.length }
      if (known) held.delete(key)
      else {
        parse(slot.name, slice)
        free.pop()
        size += slot.size
      }
      held.set(key, slot)
      return slot.name
    },
  }
}

/** Tells objects apart by number without keeping them alive. */
function numbering(): (object: object) => number {
  const numbers = new WeakMap<object, number>()
  let count = 0
  return (object) => {
    const number = numbers.get(object) ?? ++count
    numbers.set(object, number)
    return number
  }
}
