import { expect, it } from 'vitest'
import { sessionRules } from './session-rules.ts'

it('takes a guard in a line or in fields, and tells what is wrong with either', async () => {
  const { guard } = await sessionRules()
  expect(guard('read-only, deny=DROP|TRUNCATE')).toEqual([])
  expect(guard({ readOnly: true, maxRows: 10 })).toEqual([])
  expect(guard('read-onyl')).toEqual([expect.stringMatching(/^read-onyl: /)])
  expect(guard({ readOnyl: true })).toEqual([expect.stringMatching(/^readOnyl/)])
  expect(guard(['read-only'])).not.toEqual([])
})

it('takes a mask, and tells what is wrong with one', async () => {
  const { mask } = await sessionRules()
  expect(mask({ columns: [{ names: ['email'], by: 'partial' }] })).toEqual([])
  expect(mask({ colums: [] })).toEqual([expect.stringMatching(/^colums/)])
  expect(mask('everything')).not.toEqual([])
})
