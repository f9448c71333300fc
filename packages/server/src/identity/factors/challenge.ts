/**
 * What a page remembers of a ceremony that it begins, sealed into the page: nothing is stored for who never finishes it.
 * Each is for one purpose and one person, counts for some minutes, and counts once.
 */

import { createHash } from 'node:crypto'
import type { Instant } from '@tidegate/core'
import { after, instant } from '@tidegate/core'
import { z } from 'zod'
import type { Runtime } from '../../runtime.ts'
import type { MasterKey } from '../../secrets/envelope.ts'
import { open, seal } from '../../secrets/envelope.ts'
import type { Unit } from '../../store/change.ts'
import { instantParam } from '../../store/database.ts'
import { factorLimits } from './limits.ts'

/** `about`: the login, the person, the invitation or the page that it belongs to. */
const shape = z.strictObject({
  purpose: z.enum(['passkey-new', 'passkey', 'totp-new', 'device']),
  about: z.string(),
  /** What is to be signed, the new secret of codes, or the code of a device. */
  secret: z.string(),
  endsAt: z.number().transform(instant),
})

export type Challenge = z.output<typeof shape>

type Key = { readonly key: MasterKey }

const context = 'ceremony'

export function sealChallenge(
  runtime: Runtime,
  { key }: Key,
  said: Pick<Challenge, 'purpose' | 'about' | 'secret'>,
): string {
  const challenge: Challenge = { ...said, endsAt: after(runtime.now(), factorLimits.challenge) }
  const sealed = seal(Buffer.from(JSON.stringify(challenge)), { key, random: runtime.random, purpose: context })
  return sealed.toString('base64url')
}

type Expected = Pick<Challenge, 'purpose' | 'about'> & Key & { readonly now: Instant }

/** `undefined`: it is none of ours, for something else, or over. */
export function openChallenge(text: string, { purpose, about, key, now }: Expected): Challenge | undefined {
  if (text.length > 2_000) return undefined
  try {
    const opened = open(Buffer.from(text, 'base64url'), { key, purpose: context }).toString('utf8')
    const challenge = shape.parse(JSON.parse(opened))
    return challenge.purpose === purpose && challenge.about === about && now < challenge.endsAt ? challenge : undefined
  } catch {
    return undefined
  }
}

/** @returns whether it had not been used before */
export async function useChallenge(unit: Unit, { secret, endsAt }: Challenge): Promise<boolean> {
  const hash = createHash('sha256')
    .update(JSON.stringify(['ceremony', secret]))
    .digest()
  const first = await unit.tx
    .insertInto('spentToken')
    .values({ hash, endsAt: instantParam(endsAt) })
    .onConflict((conflict) => conflict.doNothing())
    .returning('hash')
    .executeTakeFirst()
  return first !== undefined
}
