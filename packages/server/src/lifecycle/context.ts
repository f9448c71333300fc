/** What every lifecycle command needs. */

import type { Configurations } from '../configuration/configurations.ts'
import type { Runtime } from '../runtime.ts'
import type { Database } from '../store/database.ts'
import type { FindPrincipal } from './question.ts'

export type Lifecycle = {
  readonly db: Database
  readonly runtime: Runtime
  readonly configurations: Configurations
  readonly findPrincipal: FindPrincipal
}
