/** How the gateway reads what configuration says of sessions: the server checks it, and does not know the gateway. */

import type { ServerOptions } from '@tidegate/server'

type SessionRules = NonNullable<ServerOptions['sessionRules']>

export async function sessionRules(): Promise<SessionRules> {
  const { approversIn, readMask, readRules, readRulesText } = await import('@tidegate/gateway')
  const read = (value: unknown) => (typeof value === 'string' ? readRulesText(value) : readRules(value))
  return {
    guard: (value) => problemsOf(read(value)),
    approvers(value) {
      const guard = read(value)
      return 'rules' in guard ? approversIn(guard.rules) : []
    },
    mask: (value) => problemsOf(readMask(value)),
  }
}

const problemsOf = (read: object | { readonly problems: readonly string[] }): readonly string[] =>
  'problems' in read ? read.problems : []
