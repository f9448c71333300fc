import { describe, expect, test } from 'vitest'
import { limits } from './limits.ts'
import { compareUse, createUsage, type Given } from './usage.ts'

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

describe('compared with what the role gives', () => {
  const given: readonly Given[] = [
    { schema: 'public', tables: ['orders', 'customers'], privileges: ['select', 'delete'] },
    { schema: 'stock', tables: '*', privileges: ['select', 'update'] },
    { schema: 'old', tables: '*', privileges: ['select'] },
  ]

  test('it says what was not used, what would have been enough, and what came from elsewhere', () => {
    const used = {
      '': ['BEGIN'],
      orders: ['SELECT'],
      'stock.items': ['SELECT', 'UPDATE'],
      'pg_catalog.pg_class': ['SELECT'],
    }
    expect(compareUse(used, given, ['public'])).toEqual({
      unused: { 'public.orders': ['delete'], 'public.customers': ['select', 'delete'], 'old.*': ['select'] },
      narrower: { 'stock.*': ['stock.items'], 'old.*': [] },
      elsewhere: ['pg_catalog.pg_class'],
    })
  })

  test('a bare name counts wherever it could be', () => {
    expect(compareUse({ orders: ['SELECT', 'DELETE'] }, given)).toEqual({
      unused: { 'public.customers': ['select', 'delete'], 'stock.*': ['update'] },
      narrower: { 'stock.*': ['orders'], 'old.*': ['orders'] },
      elsewhere: [],
    })
  })

  test('a session that did nothing used nothing', () => {
    expect(Object.keys(compareUse({}, given).unused)).toEqual(['public.orders', 'public.customers', 'stock.*', 'old.*'])
  })
})
