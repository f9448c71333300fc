import { expect, test } from 'vitest'
import { requestMayGo, requestStatuses, requestTransitions } from './transitions.ts'

const from = (status: string) => requestTransitions.filter((one) => one.from === status).map(({ to }) => to as string)

test('every status is reached from pending, and none leads back to it', () => {
  const seen = new Set(['pending'])
  for (const status of seen) for (const next of from(status)) seen.add(next)
  expect([...seen].toSorted()).toEqual(requestStatuses.toSorted())
  expect(requestTransitions.map(({ to }) => to)).not.toContain('pending')
})

test('a request goes where the table says, and nowhere else', () => {
  for (const a of requestStatuses) for (const b of requestStatuses) expect(requestMayGo(a, b)).toBe(from(a).includes(b))
})

test('what is denied, cancelled, expired or failed stays so', () => {
  for (const status of ['denied', 'cancelled', 'expired', 'failed']) expect(from(status)).toEqual([])
})
