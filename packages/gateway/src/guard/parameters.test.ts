import { expect, test } from 'vitest'
import { startupParameters } from './parameters.ts'

test('read-only access and a search path are told to the target, quoted', () => {
  expect(startupParameters({ readOnly: true, searchPath: ['public', 'odd "one'] })).toEqual({
    default_transaction_read_only: 'on',
    search_path: '"public", "odd ""one"',
  })
  expect(startupParameters({ readOnly: false })).toEqual({})
})
