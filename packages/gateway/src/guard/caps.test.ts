import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCapCounter } from './caps.ts'

describe('caps', () => {
  test('let through exactly what they say, in rows and in bytes', () => {
    const sizes = fc.array(fc.nat(100), { maxLength: 50 })
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 2000 }),
        (rows, maxRows, maxBytes) => {
          const counter = createCapCounter({ maxRows, maxBytes })
          for (const [index, size] of rows.entries()) {
            const bytes = rows.slice(0, index + 1).reduce((sum, each) => sum + each, 0)
            expect(counter.row(size) === undefined).toBe(index + 1 <= maxRows && bytes <= maxBytes)
          }
        },
      ),
    )
  })

  test('count what is changed like what is returned, and begin anew with each statement', () => {
    const counter = createCapCounter({ maxRows: 10 })
    expect(counter.changed(10)).toBeUndefined()
    expect(counter.row(1)).toMatchObject({ ruling: 'refuse', rule: 'max-rows' })
    counter.reset()
    expect(counter.row(1_000_000_000)).toBeUndefined()
    expect(createCapCounter({ maxBytes: 5 }).row(6)).toMatchObject({ rule: 'max-bytes' })
  })

  test('that are absent hold nothing up', () => {
    expect(createCapCounter({}).changed(Number.MAX_SAFE_INTEGER)).toBeUndefined()
  })
})
