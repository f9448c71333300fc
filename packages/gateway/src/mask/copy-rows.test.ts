import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import { createTestDatabase } from '../../../../tests/support/databases.ts'
import { dial, words } from '../postgres/testing/wire.ts'
import { type CopyCell, readCopyRow, writeCopyRow } from './copy-rows.ts'

const forms = [
  { delimiter: '\t', absent: '\\N', hasHeader: false },
  { delimiter: '|', absent: '', hasHeader: false },
  { delimiter: ',', absent: '', csv: { quote: '"', escape: '"' }, hasHeader: false },
  { delimiter: ';', absent: 'none', csv: { quote: "'", escape: '\\' }, hasHeader: false },
]

const cell = fc.oneof(
  fc.constant(null),
  fc.string({ unit: fc.constantFrom('a', '"', "'", '\\', ',', ';', '|', '\t', '\n', '\r', 'N', 'é', '.') }),
)

test('rows are read as they are written, in any form', () => {
  fc.assert(
    fc.property(fc.array(cell, { minLength: 1, maxLength: 5 }), fc.constantFrom(...forms), (cells, form) => {
      // In text, an absent value that is written as nothing cannot be told from an empty one.
      const told: readonly CopyCell[] =
        form.csv === undefined && form.absent === '' ? cells.map((text) => (text === '' ? null : text)) : cells
      expect(readCopyRow(writeCopyRow(cells, form), form)).toEqual(told)
    }),
  )
})

test('rows of PostgreSQL are read as what is in them', async () => {
  const database = await createTestDatabase('target')
  const rows = [
    ['a\tb', 'c\\d', null],
    ['x,"y"', 'l1\nl2', ''],
    ["it's", '\\N', '\\.'],
    [';|', '\r', '\u00e9'],
  ]
  try {
    await withClient(database.connection, async (client) => {
      await client.query('create table t (n serial, a text, b text, c text)')
      for (const row of rows) await client.query('insert into t (a, b, c) values ($1, $2, $3)', row)
    })
    const line = await dial(database.connection)
    const options = [
      '',
      `delimiter '|', null ''`,
      'format csv',
      `format csv, delimiter ';', null 'none', quote '''', escape '\\'`,
    ]
    for (const [at, form] of forms.entries()) {
      const given = options[at] === '' ? '' : `(${options[at]})`
      line.send(words.query(`copy (select a, b, c from t order by n) to stdout ${given}`))
      const lines = (await line.untilReady())
        .filter(({ type }) => type === 'd')
        .map(({ buffer }) => buffer.toString('utf8', 5))
      const expected =
        form.csv === undefined && form.absent === '' ? rows.map((row) => row.map((text) => text || null)) : rows
      expect(lines.map((text) => readCopyRow(text, form))).toEqual(expected)
    }
    line.socket.destroy()
  } finally {
    await database.drop()
  }
})
