import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import type { Instant } from '@tidegate/core'
import { formatInstant, principalKey } from '@tidegate/core'
import { factorsOf } from '../identity/factors/factors.ts'
import { resetFactors } from '../identity/factors/reset.ts'
import { invitationUrl, invite } from '../identity/local/invitations.ts'
import { findPrincipal } from '../identity/principals.ts'
import type { Unit } from '../store/change.ts'
import { userSeenBy } from './access-rules.ts'
import type { Call, HandlersOf } from './handler.ts'

export const factorHandlers: HandlersOf<'listFactors' | 'resetFactors'> = {
  listFactors: { kind: 'plain', run: listFactors },
  resetFactors: { kind: 'change', run: reset },
}

async function listFactors({ services, caller, input }: Call<'listFactors'>): Promise<Output<'listFactors'>> {
  const user = userSeenBy(caller, input.user)
  const { passkeys, totp, recoveryCodes, account } = await factorsOf(services.db, user)
  return {
    user,
    passkeys: passkeys.map(({ id, name, synced, ...times }) => ({ id, name, synced, ...timesView(times) })),
    recoveryCodes,
    ...(totp && { totp: timesView(totp) }),
    ...(account && { account: { since: formatInstant(account.joinedAt), password: account.password !== null } }),
  }
}

type Times = { readonly createdAt: Instant; readonly lastUsedAt: Instant | null }

const timesView = ({ createdAt, lastUsedAt }: Times) => ({
  since: formatInstant(createdAt),
  ...(lastUsedAt !== null && { lastUsedAt: formatInstant(lastUsedAt) }),
})

async function reset(
  { services, caller, input: { user, reason } }: Call<'resetFactors'>,
  unit: Unit,
): Promise<Output<'resetFactors'>> {
  // Whoever holds a stolen login is not to get rid of what would be asked of them.
  if (user === caller.principal.id)
    throw new ApiError('forbidden', { detail: 'One’s own are changed at /account, with one of them at hand.' })
  const snapshot = await services.configurations.current(unit.tx)
  const ref = { kind: 'user', id: user } as const
  const isThere = await findPrincipal(services.findPrincipals, unit.tx, { snapshot, ref, now: unit.now })
  if (!isThere) throw new ApiError('not-found', { detail: `There is no active user ${user}.` })
  const by = principalKey(caller.principal)
  const { passkeys, totp, recoveryCodes, account, logins } = await resetFactors(unit, { user, by, reason })
  const invited = account && snapshot.declared.identity.local ? await invite(unit, { user, by }) : undefined
  return {
    user,
    passkeys,
    totp,
    recoveryCodes,
    loginsEnded: logins,
    ...(invited && {
      invitation: {
        url: invitationUrl(services.publicUrl(), invited.secret),
        endsAt: formatInstant(invited.endsAt),
      },
    }),
  }
}
