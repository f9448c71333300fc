/**
 * RFC 9449, sections 8 and 9: a moment of the server's own for a proof to carry. It is asked of clients whose clock is not
 * right, so that they need not have a right one. Nothing is stored: every server of an installation knows its own.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Instant } from '@tidegate/core'
import type { MasterKey, OneKey } from '../../secrets/keys.ts'
import { derived } from '../../secrets/keys.ts'
import { identityLimits } from '../limits.ts'

type Now = { readonly key: MasterKey; readonly now: Instant }

export const makeNonce = ({ key, now }: Now): string => {
  const seconds = Math.floor(now / 1_000).toString(36)
  return `${seconds}.${signed(key.sealing(), seconds)}`
}

/** Made by one of our servers, whose clock may be ahead of this one's, and lately. */
export function isNonceGood(nonce: string, { key, now }: Now): boolean {
  const [, seconds = '', signature = ''] = /^([0-9a-z]{1,10})\.([A-Za-z0-9_-]{22})$/.exec(nonce) ?? []
  const madeAt = Number.parseInt(seconds, 36) * 1_000
  const isLate = now >= madeAt + identityLimits.proofNonce
  const isEarly = madeAt > now + identityLimits.keyProof
  if (Number.isNaN(madeAt) || isLate || isEarly) return false
  return key.keys.some((one) => timingSafeEqual(Buffer.from(signature), Buffer.from(signed(one, seconds))))
}

/** 128 bits of it. */
const signed = (key: OneKey, seconds: string): string =>
  createHmac('sha256', derived(key, 'proof nonces')).update(seconds).digest().subarray(0, 16).toString('base64url')
