/** The verb `moveEnd`. */

import { formatInstant } from '@tidegate/core'
import type { Lease, MoveEndOutcome, Target } from '../contract.ts'
import { attempt } from './attempt.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { hasState, states } from './failure.ts'
import { asIssuerOf } from './issuers.ts'
import { loginName } from './names.ts'
import type { Pool } from './pool.ts'
import type { Privileges } from './privileges.ts'
import { sqlFile } from './sql-file.ts'

const moveEndSql = sqlFile('move-end.sql')

export const moveEnd = (
  { config, limits }: Target<PostgresConfig, Privileges>,
  pool: Pool,
  { grant, expiresAt }: Pick<Lease, 'grant' | 'expiresAt'>,
): Promise<MoveEndOutcome> =>
  attempt({ pool, timeoutMs: limits.operationTimeoutMs, urgent: true }, async (run): Promise<MoveEndOutcome> => {
    const login = loginName(config, grant)
    const text = moveEndSql({ login, expires_at: formatInstant(expiresAt) })
    try {
      await run.on(primaryDatabase(config), async (session) =>
        session.write((await asIssuerOf(session, config, login)) + text),
      )
    } catch (error) {
      if (!hasState(error, states.undefinedObject)) throw error
    }
    return { outcome: 'moved' }
  })
