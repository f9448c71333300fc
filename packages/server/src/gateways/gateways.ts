/** What the control plane needs to have gateways. */

import type { MasterKey } from '../secrets/envelope.ts'
import type { Database } from '../store/database.ts'
import type { Feed } from './feed.ts'

export type Gateways = {
  /** Seals the targets' logins while they are kept. */
  readonly key: MasterKey
  readonly feed: Feed
  /** Connections for gateways alone: what ends access does not wait behind everyone who asks for something. */
  readonly db: Database
}
