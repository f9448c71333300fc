import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createTextCache } from './cache.ts'

describe('the cache of texts', () => {
  const bounds = { texts: 10, length: 200, textLength: 50 }

  test('never holds more than two generations of its bounds, and never says what was not set', () => {
    const texts = fc.array(fc.tuple(fc.string({ maxLength: 60 }), fc.boolean()), { maxLength: 300 })
    fc.assert(
      fc.property(texts, (steps) => {
        const cache = createTextCache<string>(bounds)
        for (const [text, sets] of steps) {
          if (sets) cache.set(text, `of ${text}`)
          expect([undefined, `of ${text}`]).toContain(cache.get(text))
          expect(cache.size().texts).toBeLessThanOrEqual(2 * bounds.texts)
          expect(cache.size().length).toBeLessThanOrEqual(2 * bounds.length)
        }
      }),
    )
  })

  test('keeps what is met again and again, while others come and go', () => {
    const cache = createTextCache<number>(bounds)
    cache.set('often', 0)
    for (let index = 0; index < 1000; index += 1) {
      cache.set(`once ${index}`, index)
      expect(cache.get('often')).toBe(0)
    }
    expect(cache.get('once 0')).toBeUndefined()
  })

  test('does not keep what is long', () => {
    const cache = createTextCache<number>(bounds)
    cache.set('x'.repeat(51), 1)
    expect(cache.get('x'.repeat(51))).toBeUndefined()
    expect(cache.size()).toEqual({ texts: 0, length: 0 })
  })
})
