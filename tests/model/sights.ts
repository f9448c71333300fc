/** What no invariant forbids, and is worth knowing that it happens: each is looked for, and its shortest way printed. */

import { grantCommands, instant } from '@tidegate/core'
import type { Sight } from './explore.ts'

export const sights: readonly Sight[] = [
  {
    name: 'a login of a grant that has ended',
    is: ({ grant, login }) => grant.state === 'ended' && login !== undefined,
  },
  {
    name: 'two activations at once, and neither gives a credential',
    is: ({ grant, work, known, clock }) =>
      grant.state === 'provisioning' && grant.attempt === 2 && work.length === 0 && known.length === 0 && clock === 0,
  },
  {
    name: 'an active grant whose holder’s credential the target no longer takes',
    is: ({ grant, login, known, work, clock }) =>
      grantCommands.givesAccess(grant, instant(clock)) &&
      work.length === 0 &&
      known.length > 0 &&
      !known.includes(login?.secret ?? 0),
  },
  {
    name: 'the target would let the holder in after the end that the row says',
    is: ({ grant, login, known }) =>
      grant.state === 'active' && known.includes(login?.secret ?? 0) && (login?.until ?? 0) > (grant.expiresAt ?? 0),
  },
  {
    name: 'a session after the target’s own end, with nothing on the target to cut it',
    is: ({ login, session, clock, targetOffset }) => session && clock + targetOffset >= (login?.until ?? Infinity),
  },
  {
    name: 'the holder receives a credential after the end was committed',
    is: ({ grant, login, known }) => grant.state === 'ending' && known.includes(login?.secret ?? 0),
  },
]
