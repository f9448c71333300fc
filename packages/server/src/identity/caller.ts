/** A principal as a caller: what it may beyond asking for access. */

import type { Instant, Principal } from '@tidegate/core'
import { hasAuth, readHeld } from '../administration/held.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Reader } from '../store/database.ts'
import type { Caller } from './identity.ts'

type Recognised = { readonly principal: Principal; readonly snapshot: Snapshot; readonly now: Instant }
type Proof = Pick<Caller, 'authentication' | 'expiresAt' | 'login'>

export async function callerOf(reader: Reader, recognised: Recognised, proof: Proof): Promise<Caller> {
  const holder = { administration: await readHeld(reader, recognised) }
  return {
    principal: recognised.principal,
    ...holder,
    administrator: hasAuth(holder, 'administrator'),
    policyAuthor: hasAuth(holder, 'policy-author'),
    auditor: hasAuth(holder, 'auditor'),
    ...proof,
  }
}
