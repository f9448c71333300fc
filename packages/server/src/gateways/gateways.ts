/** What the control plane needs to have gateways. */

import { ApiError } from '@tidegate/api'
import type { MasterKey } from '../secrets/envelope.ts'
import type { Database } from '../store/database.ts'
import type { Feed } from './feed.ts'
import type { ViewWaiting } from './view-waiting.ts'

export type Gateways = {
  /** Seals the targets' logins while they are kept. */
  readonly key: MasterKey
  readonly feed: Feed
  /** Connections for gateways alone: what ends access does not wait behind everyone who asks for something. */
  readonly db: Database
  readonly views: ViewWaiting
}

/** @throws {ApiError} where there are none */
export function gatewaysOf({ gateways }: { readonly gateways?: Gateways }): Gateways {
  if (!gateways) throw new ApiError('unavailable', { detail: 'This server has no gateways.' })
  return gateways
}
