import { describe, expect, test } from 'vitest'
import { compareUse } from './usage.ts'
import type { GivenTables } from './usage.ts'

describe('what was used, compared with what the role gives', () => {
  const given: readonly GivenTables[] = [
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
