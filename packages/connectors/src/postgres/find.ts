/** The verb `find`. */

import { instant } from '@tidegate/core'
import { type FoundLogin, type Target, targetFault } from '../contract.ts'
import { attempt } from './attempt.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { grantOfLogin, marks } from './names.ts'
import type { Pool } from './pool.ts'
import type { Privileges } from './privileges.ts'
import { sqlFile } from './sql-file.ts'

const findSql = sqlFile('find.sql')

type Found = { readonly login: string; readonly expires_at: number | null; readonly sessions: number }

export async function find(target: Target<PostgresConfig, Privileges>, pool: Pool): Promise<FoundLogin[]> {
  const { config, resource, limits } = target
  const values = [`${config.rolePrefix}grt_`, marks.loginsOf(resource), marks.groupsOf(resource)]
  const rows = await attempt({ pool, timeoutMs: limits.operationTimeoutMs }, (run) =>
    run.on(primaryDatabase(config), (session) => session.read(findSql(), values)),
  )
  if ('outcome' in rows) throw targetFault(rows)
  return (rows as readonly Found[]).flatMap((row) => foundLogin(config, row))
}

function foundLogin(config: PostgresConfig, { login, expires_at: expiresAt, sessions }: Found): FoundLogin[] {
  const grant = grantOfLogin(config, login)
  if (grant === undefined) return []
  // No expiry and an infinite one are the same thing.
  const finite = expiresAt !== null && Number.isFinite(expiresAt)
  return [{ grant, login, sessions, ...(finite && { expiresAt: instant(Math.round(expiresAt)) }) }]
}
