import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMask } from './mask.ts'
import { maskFields, readMask } from './rules.ts'

const problemsOf = (value: unknown): readonly string[] => {
  const read = readMask(value)
  return 'problems' in read ? read.problems : []
}

const column = { names: ['email'], by: 'full' }

describe('the rules of a mask', () => {
  test('are read with everything there is', () => {
    expect(
      readMask({
        columns: [
          { names: ['email', '*_mail'], tables: ['public.customers', 'crm.*'], by: 'partial' },
          { names: ['iban'], by: 'hash' },
        ],
        detect: [{ kinds: ['card', 'jwt'], by: 'null' }],
        allowFunctions: ['Add_Days'],
      }),
    ).toEqual({
      rules: {
        columns: [
          {
            names: ['email', '*_mail'],
            tables: [
              { schema: 'public', table: 'customers' },
              { schema: 'crm', table: '*' },
            ],
            by: 'partial',
          },
          { names: ['iban'], by: 'hash' },
        ],
        detect: [{ kinds: ['card', 'jwt'], by: 'null' }],
        allowFunctions: ['add_days'],
      },
    })
  })

  test.each<readonly [unknown, string]>([
    ['x', 'the mask: '],
    [null, 'the mask: '],
    [[], 'the mask: '],
    [{}, 'the mask: has to have columns or detect'],
    [{ allowFunctions: ['f'] }, 'the mask: has to have columns or detect'],
    [{ column: [column] }, 'column: is no field'],
    [{ columns: [] }, 'columns: '],
    [{ columns: column }, 'columns: '],
    [{ columns: [{ names: ['email'] }] }, 'columns[0].by: has to be there'],
    [{ columns: [{ by: 'full' }] }, 'columns[0].names: has to be there'],
    [{ columns: [{ ...column, by: 'none' }] }, 'columns[0].by: '],
    [{ columns: [column, { ...column, names: ["e'mail"] }] }, 'columns[1].names[0]: '],
    [{ columns: [{ ...column, names: ['(x)|.'] }] }, 'columns[0].names[0]: '],
    [{ columns: [{ ...column, tables: ['a.b.c'] }] }, 'columns[0].tables[0]: '],
    [{ columns: [{ ...column, tables: ['back\\slash'] }] }, 'columns[0].tables[0]: '],
    [{ columns: [{ ...column, table: 'x' }] }, 'columns[0].table: is no field'],
    [{ detect: [{ kinds: ['mail'], by: 'full' }] }, 'detect[0].kinds[0]: '],
    [{ detect: [{ kinds: ['email'], by: true }] }, 'detect[0].by: '],
    [{ columns: [column], allowFunctions: ['a.b'] }, 'allowFunctions[0]: '],
  ])('%j has a problem that begins with its field', (value, beginning) => {
    expect(problemsOf(value)).toEqual([
      expect.stringMatching(new RegExp(`^${beginning.replaceAll(/[[\]().]/g, '\\$&')}`)),
    ])
  })

  test('say all that is wrong at once', () => {
    expect(problemsOf({ columns: [{ names: [1, 'ok'], by: 'x' }], detect: 'x', other: 1 })).toHaveLength(4)
  })

  test('never make the reader throw, whatever they are', () => {
    const keys = fc.constantFrom(...Object.keys(maskFields), 'names', 'by', 'kinds', 'x')
    const value = fc.oneof(fc.anything(), fc.dictionary(keys, fc.array(fc.dictionary(keys, fc.jsonValue()))))
    fc.assert(fc.property(value, (given) => void readMask(given)))
  })

  test('come with a key that is long enough', () => {
    expect(() => createMask({ columns: [{ names: ['a'], by: 'hash' }] }, { key: Buffer.alloc(15) })).toThrow(RangeError)
  })
})
