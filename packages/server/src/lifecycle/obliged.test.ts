import type { Decision } from '@tidegate/core'
import { expect, test } from 'vitest'
import { isBeyondObliging } from './obliged.ts'

const pii = [{ kind: 'mask', name: 'pii', policies: ['a'] }] as const
const basis = { id: 'dec_a', policyVersion: 'v1', policies: ['a'], signals: [], reasons: [] } as const
const asking: Decision = { ...basis, outcome: 'approve', paths: [], obligations: pii }
const quiet: Decision = { ...asking, obligations: [] }
const direct = { byGateway: false, obligations: [], state: 'active' } as const

test.each([
  ['opened directly', direct, asking, true],
  ['being opened directly', { ...direct, state: 'provisioning' }, asking, true],
  ['opened directly, and asked for nothing', direct, quiet, false],
  ['not opened yet', { ...direct, state: 'ready' }, asking, false],
  ['opened through a gateway', { ...direct, byGateway: true }, asking, false],
  [
    'being opened through a gateway, as what it is held to shows',
    { ...direct, state: 'provisioning', obligations: pii },
    asking,
    false,
  ],
] as const)('whether nobody can hold a grant to what policy asks: %s', (_words, grant, decision, expected) => {
  expect(isBeyondObliging(grant, decision)).toBe(expected)
})
