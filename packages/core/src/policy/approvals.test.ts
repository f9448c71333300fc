import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ApprovalPath, Stage } from '../decision.ts'
import { hours } from '../time.ts'
import type { CountedApproval } from './approvals.ts'
import { firstSatisfied, openSpecs, pathProgress } from './approvals.ts'

const path = (...stages: Stage[]): ApprovalPath => ({ policies: ['p'], stages, maxDuration: hours(1) })
const stage = (count: number, ...approvers: string[]): Stage => ({ approvers, count })
const yes = (approver: string, ...as: string[]): CountedApproval => ({ approver, as })

const specs = ['manager', 'owner', 'leads'] as const
const stages = fc.record({
  approvers: fc.subarray([...specs], { minLength: 1 }),
  count: fc.integer({ min: 1, max: 3 }),
})
const paths = fc.array(stages, { maxLength: 3 }).map((list) => path(...list))
const approvals = fc.array(
  fc.record({ approver: fc.constantFrom('ann', 'ben', 'cem', 'dee', 'eva'), as: fc.subarray([...specs]) }),
  { maxLength: 12 },
)

describe('approvals along a path', () => {
  test('a path without stages needs no one', () => {
    expect(pathProgress(path(), [])).toEqual({ satisfied: true, stage: 0, remaining: 0, waitingFor: [] })
  })

  test('the stages open one after the other', () => {
    const two = path(stage(1, 'manager'), stage(2, 'leads'))
    expect(pathProgress(two, [])).toMatchObject({ stage: 0, remaining: 1, waitingFor: ['manager'] })
    expect(pathProgress(two, [yes('ann', 'leads')])).toMatchObject({ stage: 0, remaining: 1 })
    expect(pathProgress(two, [yes('ann', 'manager')])).toMatchObject({ stage: 1, remaining: 2, waitingFor: ['leads'] })
    const done = pathProgress(two, [yes('ann', 'manager'), yes('ben', 'leads'), yes('cem', 'leads')])
    expect(done).toEqual({ satisfied: true, stage: 2, remaining: 0, waitingFor: [] })
  })

  test('one person in two groups counts once', () => {
    const both = path(stage(2, 'leads', 'owner'))
    expect(pathProgress(both, [yes('ann', 'leads', 'owner')]).remaining).toBe(1)
    expect(pathProgress(both, [yes('ann', 'leads'), yes('ann', 'owner')]).remaining).toBe(1)
  })

  test('one person does not count for two stages', () => {
    const two = path(stage(1, 'manager'), stage(1, 'leads'))
    expect(pathProgress(two, [yes('ann', 'manager', 'leads'), yes('ann', 'leads')]).satisfied).toBe(false)
  })

  test('more approvals than needed do no harm', () => {
    const many = ['ann', 'ben', 'cem'].map((who) => yes(who, 'leads'))
    expect(pathProgress(path(stage(2, 'leads')), many).satisfied).toBe(true)
  })

  test('never suffice from fewer people than the stages ask for together', () => {
    fc.assert(
      fc.property(paths, approvals, (one, given) => {
        const needed = one.stages.reduce((sum, { count }) => sum + count, 0)
        const people = new Set(given.map(({ approver }) => approver)).size
        if (pathProgress(one, given).satisfied) expect(people).toBeGreaterThanOrEqual(needed)
      }),
    )
  })

  test('never suffice from people who are not eligible', () => {
    fc.assert(
      fc.property(paths, approvals, (one, given) => {
        const strangers = given.map(({ approver }) => yes(approver, 'strangers'))
        expect(pathProgress(one, strangers).satisfied).toBe(one.stages.length === 0)
      }),
    )
  })

  test('another one never undoes what was satisfied', () => {
    fc.assert(
      fc.property(paths, approvals, approvals, (one, given, more) => {
        if (pathProgress(one, given).satisfied) expect(pathProgress(one, [...given, ...more]).satisfied).toBe(true)
      }),
    )
  })

  test('repeated are as if given once', () => {
    fc.assert(
      fc.property(paths, approvals, (one, given) => {
        const once = pathProgress(one, given)
        if (once.satisfied)
          expect(
            pathProgress(
              one,
              given.flatMap((each) => [each, each]),
            ),
          ).toEqual(once)
      }),
    )
  })
})

describe('approvals along several paths', () => {
  const slow = path(stage(2, 'leads'))
  const fast = path(stage(1, 'owner'))

  test('the path satisfied first in time opens, and stays the one', () => {
    const leads = [yes('ann', 'leads'), yes('ben', 'leads')]
    expect(firstSatisfied([fast, slow], leads)).toBe(slow)
    expect(firstSatisfied([fast, slow], [...leads, yes('cem', 'owner')])).toBe(slow)
    expect(firstSatisfied([fast, slow], [yes('ann', 'leads')])).toBeUndefined()
    expect(firstSatisfied([], [])).toBeUndefined()
  })

  test('whoever can act on any of them is asked', () => {
    expect(openSpecs([fast, slow], [])).toEqual(['leads', 'owner'])
    expect(openSpecs([fast, slow], [yes('ann', 'owner')])).toEqual(['leads'])
    expect(openSpecs([path(stage(1, 'manager'), stage(1, 'leads'))], [yes('ann', 'manager')])).toEqual(['leads'])
  })
})
