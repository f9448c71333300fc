import { randomBytes } from 'node:crypto'
import { instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import { createMasterKey, makeKey } from '../../secrets/keys.ts'
import { isNonceGood, makeNonce } from './proof-nonce.ts'

const now = instant(Date.UTC(2026, 10, 22))
const [before, after] = [makeKey(randomBytes(32)), makeKey(randomBytes(32))]

test('a nonce is good at a server with another key first, and at none without the key', () => {
  const nonce = makeNonce({ key: createMasterKey([before, after]), now })
  expect(isNonceGood(nonce, { key: createMasterKey([after, before]), now })).toBe(true)
  expect(isNonceGood(nonce, { key: createMasterKey([after]), now })).toBe(false)
})
