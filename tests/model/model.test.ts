/** Everything that can become of one grant, within bounds: `docs/design/model.md`. */

import { describe, expect, test } from 'vitest'
import { agreedBounds, extendingBounds, smallBounds, tinyBounds } from './bounds.ts'
import { explore } from './explore.ts'
import { printTrace } from './print.ts'
import { planted, product } from './protocol.ts'
import { sights } from './sights.ts'

/** Exploring takes seconds, on a machine that does nothing else. */
const patienceMs = 180_000

test(
  'in everything that can become of a grant every invariant holds, and an orphan takes a server that is lost',
  () => {
    const { violation, orphans, windows } = explore({ protocol: product, bounds: smallBounds })
    expect(violation && [violation.problem, printTrace(violation.trace)]).toBeUndefined()
    expect([...orphans.keys()]).toEqual(['opener lost'])
    expect([...windows.keys()].toSorted()).toEqual([
      'access',
      'ended, not cut yet',
      'expired by the servers, not by the target',
      'shortened',
    ])
  },
  patienceMs,
)

test(
  'nor does an extension break one, whatever dies between the store and the target',
  () => {
    const { violation, orphans } = explore({ protocol: product, bounds: extendingBounds })
    expect(violation && [violation.problem, printTrace(violation.trace)]).toBeUndefined()
    expect([...orphans.keys()]).toEqual(['opener lost'])
  },
  patienceMs,
)

describe('without a fault', () => {
  const seenWith = (looksAgain: boolean): string[] => {
    const { seen } = explore({
      protocol: { ...product, looksAgain },
      bounds: agreedBounds,
      mayBeLate: ['opener lost', 'opener slow'],
      without: ['fault'],
      lookFor: sights,
    })
    return [...seen.keys()].toSorted()
  }
  const whenSlow = [
    'a login of a grant that has ended',
    'an active grant whose holder’s credential the target no longer takes',
    'two activations at once, and neither gives a credential',
  ]
  const always = [
    'a session after the target’s own end, with nothing on the target to cut it',
    'the holder receives a credential after the end was committed',
    'the target would let the holder in after the end that the row says',
  ]

  test('what is known to happen happens, and nothing else that we look for', () => {
    expect(seenWith(true)).toEqual(always)
  })

  test('an opener that does not look again under the lock undoes what others have done', () => {
    expect(seenWith(false)).toEqual([...always, ...whenSlow].toSorted())
  })
})

describe('a planted bug is found:', () => {
  test.each(planted.map((one) => [one.name, one] as const))(
    '%s',
    (_name, { protocol, breaks, extends: isExtended }) => {
      // What never ends well shows only in the whole graph.
      const others = breaks === 'nothing stays open' ? tinyBounds : agreedBounds
      const bounds = isExtended ? extendingBounds : others
      const { violation } = explore({ protocol, bounds })
      expect(violation?.invariant).toBe(breaks)
    },
    patienceMs,
  )
})

test('a counterexample is a story that can be read', () => {
  const protocol = { ...product, looksAgain: false }
  const { violation } = explore({ protocol, bounds: agreedBounds })
  expect(violation && printTrace(violation.trace)).toMatchInlineSnapshot(`
    "   0 clock 0, the target’s 0 · grant ready, attempt 0, unsure 0 · due at 2 · request approved
           when the target is unreachable it waits; the target’s clock is off by 0
       1 the holder activates: attempt 1 is committed, to end at 2
           → grant provisioning, ends at 2, attempt 1, unsure 1 · due at 1 · at work: attempt 1 (begun)
       2 time passes
           → clock 1, the target’s 1
       3 the reconciler finds it due: grant.ending
           → at work: attempt 1 (begun), reconciler closing (next: shut)
       4 there is no login to shut, and none is being made
           → at work: attempt 1 (begun), reconciler closing (next: record)
       5 it is recorded as closed
           → grant ended (open-failed), ends at 2, attempt 1, unsure 1 · never due · request failed · at work: attempt 1 (begun)
       6 attempt 1 takes the lock and sends the open to the target
           → at work: attempt 1 (sent)
       7 the target makes the login of attempt 1 and answers
           → login with secret 1, valid until 2, late: opener slow · at work: attempt 1 (answered: opened)"
  `)
})
