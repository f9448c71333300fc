/** What every lifecycle command needs. */

import type { Configurations } from '../configuration/configurations.ts'
import type { Gateways } from '../gateways/gateways.ts'
import type { FindPrincipals } from '../identity/principals.ts'
import type { Runtime } from '../runtime.ts'
import type { Wake } from '../store/change.ts'
import type { Database } from '../store/database.ts'

export type Lifecycle = {
  readonly db: Database
  readonly runtime: Runtime
  /** Absent: the loops of this process find by their clocks what there is to do. */
  readonly wake?: Wake
  readonly configurations: Configurations
  readonly findPrincipals: FindPrincipals
  /** Absent: there are none, and what needs one is not opened. */
  readonly gateways?: Gateways
}
