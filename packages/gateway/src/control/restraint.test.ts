import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createGuards } from '../guard/guard.ts'
import type { Guard, Ruling } from '../guard/ruling.ts'
import { allOf, restrain } from './restraint.ts'

const held = { guards: await createGuards(), random: (count: number) => randomBytes(count) }

const saying = (ruling: Ruling): Guard => ({ judge: () => ruling })
const allow = saying({ ruling: 'allow', uses: [] })
const ask = saying({ ruling: 'ask', rule: 'ask', message: 'm', uses: [] })
const refuse = saying({ ruling: 'refuse', rule: 'r', message: 'm' })

test.each([
  [[allow, allow], 'allow'],
  [[allow, ask], 'ask'],
  [[ask, allow], 'ask'],
  [[ask, refuse], 'refuse'],
  [[refuse, allow], 'refuse'],
  [[allow, allow, refuse], 'refuse'],
] as const)('several guards let through what all of them do (%#)', (list, ruling) => {
  expect(allOf(list).judge('select 1').ruling).toBe(ruling)
})

test('without rules there is no guard, no cap and no setting', () => {
  expect(restrain(held, { guards: [], masks: [] })).toEqual({ outcome: 'restrained', restraint: { parameters: {} } })
})

test('the strictest cap counts, and every setting', () => {
  const rules = [{ maxRows: 5 }, { maxRows: 3, maxBytes: 100 }, { readOnly: true }, { searchPath: ['public'] }]
  const restrained = restrain(held, { guards: rules, masks: [] })
  if (restrained.outcome !== 'restrained') throw new Error('they fit')
  const { caps, parameters } = restrained.restraint
  expect(parameters).toEqual({ default_transaction_read_only: 'on', search_path: '"public"' })
  expect([caps?.changed(3), caps?.changed(1)?.rule]).toEqual([undefined, 'max-rows'])
})

test('a mask that cannot be read opens nothing', () => {
  const restrained = restrain(held, {
    guards: [],
    masks: [{ columns: [{ names: ['email'], by: 'full' }] }, { collumns: [] }],
  })
  expect(restrained).toMatchObject({ outcome: 'unusable', problems: [expect.stringContaining('mask: collumns')] })
})
