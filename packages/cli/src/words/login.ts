/** How someone is known, as people read it. */

import type { Output } from '@tidegate/api'
import type { Context } from '../context.ts'
import { relative } from './times.ts'

type Authentication = Output<'whoami'>['authentication']

const methods: Readonly<Record<string, string>> = { token: 'a token', oidc: 'a sign-in at your provider' }

/** `a sign-in at your provider, with a second factor, 5m ago` */
export function proofWords(
  clock: Pick<Context, 'now' | 'timeZone'>,
  { method, mfa, phishingResistant, at }: Authentication,
): string {
  const factor = phishingResistant ? 'resistant to phishing' : mfa ? 'with a second factor' : undefined
  const since = method === 'token' || at === undefined ? undefined : relative(clock, at)
  return [methods[method] ?? method, factor, since].filter((word) => word !== undefined).join(', ')
}
