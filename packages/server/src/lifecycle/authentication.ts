/** How someone had proved who they are, for a question that is asked again without them. */

import type { AccessRequest, Authentication, Instant } from '@tidegate/core'
import { earlier, instant } from '@tidegate/core'
import { tokenAuthentication } from '../identity/tokens.ts'
import type { StoredGrant } from '../store/grants.ts'

/** As fresh as when it was filed: how long its approvers take is not the requester's doing. */
export function authenticationOfRequest({ authentication, filedAt }: AccessRequest, now: Instant): Authentication {
  if (!authentication) return tokenAuthentication(now)
  return { ...authentication, at: instant(Math.max(0, now - Math.max(0, filedAt - authentication.at))) }
}

/** As it was when it was activated, and older since. Never in the future, whichever server's clock was ahead. */
export function authenticationOfGrant({ authentication, activatedAt }: StoredGrant, now: Instant): Authentication {
  if (!authentication) return tokenAuthentication(earlier(activatedAt ?? now, now))
  return { ...authentication, at: earlier(authentication.at, now) }
}
