/** A principal as a caller: what it may beyond asking for access. */

import type { Principal } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Caller } from './identity.ts'
import { isAdministrator } from './principals.ts'

export function callerOf(
  principal: Principal,
  snapshot: Snapshot,
  proof: Pick<Caller, 'authentication' | 'expiresAt' | 'login'>,
): Caller {
  const { auditors } = snapshot.declared.settings
  const administrator = isAdministrator(principal, snapshot)
  const reader = principal.kind === 'user' && auditors !== undefined && principal.groups.includes(auditors)
  return { principal, administrator, auditor: administrator || reader, ...proof }
}
