import fc from 'fast-check'
import { expect, test } from 'vitest'
import { limitsOf, sessionLimits } from './postgres/shell/ports.ts'
import { isNameOf, isNumberOf, makeOf, wholeShare, workerOf } from './share.ts'

const sharesOf = (of: number) => Array.from({ length: of }, (_, worker) => ({ worker, of }))
const counts = fc.integer({ min: 1, max: 64 })

test('whatever has a name or a number is of one share, and always of the same', () => {
  const numbers = fc.integer({ min: -(2 ** 31), max: 2 ** 50 })
  fc.assert(
    fc.property(counts, numbers, fc.string({ unit: 'grapheme' }), (of, number, name) => {
      expect(sharesOf(of).filter((share) => isNumberOf(share, number))).toEqual([{ worker: workerOf(number, of), of }])
      expect(sharesOf(of).filter((share) => isNameOf(share, name))).toHaveLength(1)
    }),
  )
})

test('of one process everything is its own', () => {
  fc.assert(fc.property(fc.string(), (name) => isNameOf(wholeShare, name)))
})

test('each share has something that can be made', () => {
  fc.assert(
    fc.property(counts, (of) => {
      for (const share of sharesOf(of)) {
        let number = 0
        const isOurs = (made: number): boolean => isNumberOf(share, made)
        expect(isOurs(makeOf(() => ++number, isOurs))).toBe(true)
      }
    }),
  )
})

test('what all shares let in is what one process would, and none is without', () => {
  const { handshakeMs, ...counted } = sessionLimits
  fc.assert(
    fc.property(counts, (of) => {
      const limits = limitsOf({ worker: 0, of })
      expect(limits.handshakeMs).toBe(handshakeMs)
      for (const [name, most] of Object.entries(counted)) {
        const each = limits[name as keyof typeof limits]
        expect(each).toBeGreaterThanOrEqual(1)
        expect((each - 1) * of).toBeLessThan(most)
      }
    }),
  )
})
