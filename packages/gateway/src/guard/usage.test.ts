import { describe, expect, test } from 'vitest'
import { limits } from './limits.ts'
import { createUsage } from './usage.ts'

describe('what a session used', () => {
  test('is added up by table, sorted and without repetitions', () => {
    const usage = createUsage()
    usage.add([
      { kind: 'SELECT', tables: ['public.orders', 'customers'] },
      { kind: 'BEGIN', tables: [] },
    ])
    usage.add([
      { kind: 'DELETE', tables: ['public.orders'] },
      { kind: 'SELECT', tables: ['public.orders'] },
    ])
    expect(usage.used()).toEqual({
      tables: { '': ['BEGIN'], customers: ['SELECT'], 'public.orders': ['DELETE', 'SELECT'] },
      left: 0,
    })
  })

  test('is bounded, and what does not fit is counted', () => {
    const usage = createUsage()
    const tables = Array.from({ length: limits.usedTables + 5 }, (_, index) => `t${index}`)
    usage.add([{ kind: 'SELECT', tables }])
    usage.add([{ kind: 'DELETE', tables: ['t0'] }])
    expect(Object.keys(usage.used().tables)).toHaveLength(limits.usedTables)
    expect(usage.used().tables['t0']).toEqual(['DELETE', 'SELECT'])
    expect(usage.used().left).toBe(5)
  })
})
