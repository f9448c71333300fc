import { expect, test } from 'vitest'
import type { EntryShape } from './entry-types.ts'
import { entryTypes } from './entry-types.ts'

const rows = Object.entries<EntryShape>(entryTypes)

test.each(rows)('%s has no field twice, and none that the envelope has', (_type, { open, personal }) => {
  const names = [...open, ...Object.keys(personal)]
  expect(new Set(names).size).toBe(names.length)
  for (const name of ['v', 'id', 'type', 'at', 'request', 'grant']) expect(names).not.toContain(name)
})

test.each(rows)('every personal field of %s says by which personal field it is found again', (_type, { personal }) => {
  for (const subject of Object.values(personal)) expect(Object.keys(personal)).toContain(subject)
})

test.each(rows)('%s says what it means', (_type, { about }) => {
  expect(about).toMatch(/^[A-Z].*[.]$/)
})
