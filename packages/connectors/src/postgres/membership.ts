/** The options of a membership that Tidegate makes. */

import type { Session } from './attempt.ts'
import { type Fragment, joined, keywords, nothing } from './sql-file.ts'

/** Before 16 a member could always become the role; from 16 on it can be kept from that. */
export const membershipOptions = ({ serverVersion }: Pick<Session, 'serverVersion'>): Fragment =>
  serverVersion >= 160_000 ? joined([keywords('WITH INHERIT TRUE'), keywords('SET FALSE')], ', ') : nothing
