/** How the gateway reads what configuration says of sessions: the server checks it, and does not know the gateway. */

import type { ServerOptions } from '@tidegate/server'

type SessionRules = NonNullable<ServerOptions['sessionRules']>

export async function sessionRules(): Promise<SessionRules> {
  const { readMask, readRules, readRulesText } = await import('@tidegate/gateway')
  return {
    guard: (value) => problemsOf(typeof value === 'string' ? readRulesText(value) : readRules(value)),
    mask: (value) => problemsOf(readMask(value)),
  }
}

const problemsOf = (read: object | { readonly problems: readonly string[] }): readonly string[] =>
  'problems' in read ? read.problems : []
