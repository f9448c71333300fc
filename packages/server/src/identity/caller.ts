/** A principal as a caller: whether it is there, and what it may beyond asking for access. */

import type { Instant, PrincipalRef } from '@tidegate/core'
import { grantedRoles, hasAuth, standingRoles } from '../administration/held.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Reader } from '../store/database.ts'
import type { Caller } from './identity.ts'
import type { FindPrincipals } from './principals.ts'
import { findPrincipal } from './principals.ts'

type Recognised = {
  readonly ref: PrincipalRef
  readonly snapshot: Snapshot
  readonly now: Instant
  readonly proof: Pick<Caller, 'authentication' | 'expiresAt' | 'login'>
}

/** Asks for all of it before it waits for any. @returns `undefined`: it is not there, or not active */
export async function callerOf(
  find: FindPrincipals,
  reader: Reader,
  { ref, snapshot, now, proof }: Recognised,
): Promise<Caller | undefined> {
  const [principal, granted] = await Promise.all([
    findPrincipal(find, reader, { snapshot, ref, now }),
    grantedRoles(reader, { ref, now }),
  ])
  if (!principal) return undefined
  const holder = { administration: [...granted, ...standingRoles(principal, snapshot)] }
  return {
    principal,
    ...holder,
    administrator: hasAuth(holder, 'administrator'),
    policyAuthor: hasAuth(holder, 'policy-author'),
    auditor: hasAuth(holder, 'auditor'),
    ...proof,
  }
}
