/** Why a grant is over, as whoever sits in one of its sessions reads it. */

import type { EndReason } from '@tidegate/core'

const words: Record<EndReason, string> = {
  expired: "the grant's time is up",
  done: 'its holder said that it is done',
  'task-ended': 'the task it was for has ended',
  revoked: 'access was revoked',
  'fact-changed': 'a fact changed, and policy no longer gives this access',
  'policy-changed': 'policy changed, and no longer gives this access',
  'resource-changed':
    'the resource was removed, points to another target, or may only be reached through a gateway by now',
  lapsed: 'it was not activated in time',
  'open-failed': 'the target could not be opened',
}

/** Nobody else is named: whoever is done was the holder. */
export const endWords = (reason: string | null, by: string | null): string => {
  const said = words[reason as EndReason] ?? 'the grant is over'
  return reason === 'revoked' && by !== null ? `${said} by ${by}` : said
}
