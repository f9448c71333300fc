import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { policiesOf } from './fixtures.ts'
import type { Slice } from './slice.ts'
import { createSlots } from './slots.ts'

const { policies } = policiesOf('@id("any") permit (principal, action, resource);')
const slice = (key: string): Slice => ({ key, policies: policies.map((policy) => ({ ...policy, id: key })) })

describe('slots', () => {
  test('hold every slice under its own name, and never more than the limits', () => {
    const owners = [{ name: 'x' }, { name: 'y' }, { name: 'z' }]
    const asks = fc.array(fc.tuple(fc.constantFrom(...owners), fc.constantFrom('a', 'b', 'c', 'd', 'e')))
    fc.assert(
      fc.property(asks, (list) => {
        const names = new Set<string>()
        const held = new Map<string, readonly string[]>()
        const slots = createSlots({ slots: 4, slotPolicies: 3 }, (name, { staticPolicies }) => {
          names.add(name)
          held.set(name, Object.keys(staticPolicies ?? {}))
          return { type: 'success' }
        })
        for (const [owner, key] of list) {
          // Slices of different sets have the same keys, and must not be taken for each other.
          const id = `${owner.name}${key}`
          const { policies: ofOwner } = slice(id)
          expect(held.get(slots.nameOf(owner, { key, policies: ofOwner }))).toEqual([id])
          expect([...held.values()].flat().length).toBeLessThanOrEqual(3)
        }
        expect(names.size).toBeLessThanOrEqual(4)
      }),
    )
  })

  test('are parsed once while they are in use', () => {
    const parsed: string[] = []
    const slots = createSlots({ slots: 2, slotPolicies: 10 }, (_name, policies) => {
      parsed.push(...Object.keys(policies.staticPolicies ?? {}))
      return { type: 'success' }
    })
    const owner = {}
    for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) slots.nameOf(owner, slice(key))
    expect(parsed).toEqual(['a', 'b', 'c', 'b'])
  })

  test('do not hold what Cedar refused', () => {
    let refuse = true
    const slots = createSlots({ slots: 1, slotPolicies: 10 }, () =>
      refuse ? { type: 'failure', errors: [] } : { type: 'success' },
    )
    const owner = {}
    expect(() => slots.nameOf(owner, slice('a'))).toThrow()
    refuse = false
    expect(slots.nameOf(owner, slice('a'))).toBe(slots.nameOf(owner, slice('a')))
  })
})
