/**
 * What is remembered while someone is at their provider, sealed into a cookie of the browser that left: nothing is
 * stored for who never comes back, and no other browser can finish what this one began.
 */

import type { Instant } from '@tidegate/core'
import { instant } from '@tidegate/core'
import { z } from 'zod'
import type { Runtime } from '../../runtime.ts'
import type { MasterKey } from '../../secrets/envelope.ts'
import { open, seal } from '../../secrets/envelope.ts'
import { needs } from '../factors/need.ts'
import type { Attempt } from './provider.ts'

const purpose = 'login-attempt'

const shape = z.strictObject({
  provider: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  need: z.enum(needs).optional(),
  endsAt: z.number().transform(instant),
})

type Sealing = { readonly key: MasterKey; readonly random: Runtime['random'] }

export const sealAttempt = (attempt: Attempt, { key, random }: Sealing): string =>
  seal(Buffer.from(JSON.stringify(attempt)), { key, random, purpose }).toString('base64url')

/** `undefined`: it is not one of ours, or its time is over. */
export function openAttempt(
  text: string | undefined,
  { key, now }: { key: MasterKey; now: Instant },
): Attempt | undefined {
  if (text === undefined || text.length > 4_000) return undefined
  try {
    const attempt = shape.parse(JSON.parse(open(Buffer.from(text, 'base64url'), { key, purpose }).toString('utf8')))
    const { need, ...rest } = attempt
    return now < attempt.endsAt ? { ...rest, ...(need && { need }) } : undefined
  } catch {
    return undefined
  }
}
