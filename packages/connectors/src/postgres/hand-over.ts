/** What keeps a role from being dropped, and how it gets out of the way: for logins of grants and for group roles. */

import type { Attempt, Session } from './attempt.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { targetError } from './failure.ts'
import { membershipOptions } from './membership.ts'
import { quoteLiteral, sqlFile } from './sql-file.ts'

const claimSql = sqlFile('close-2-claim.sql')
const leftSql = sqlFile('close-4-left.sql')
const handOverSql = sqlFile('close-5-hand-over.sql')

export type Left = {
  readonly role: string
  readonly kind: 'objects' | 'prepared'
  /** Null: the cluster as a whole. */
  readonly database: string | null
  /** Of a prepared transaction. */
  readonly name: string | null
  readonly reachable: boolean
}

/** Gives the admin the privileges of the role, without which it may neither end its sessions nor hand over its objects. */
export const claimText = (session: Pick<Session, 'serverVersion'>, role: string): string =>
  claimSql({ role, membership: membershipOptions(session) })

export const leftOf = async (session: Pick<Session, 'read'>, roles: readonly string[]): Promise<readonly Left[]> =>
  (await session.read(leftSql(), [roles])) as readonly Left[]

export async function handOver(
  run: Attempt,
  config: PostgresConfig,
  { role, left }: { readonly role: string; readonly left: readonly Left[] },
): Promise<void> {
  refuseUnreachable(role, left)
  const { owner } = config
  for (const database of new Set(left.map((one) => one.database ?? primaryDatabase(config)))) {
    await run.on(database, (session) => session.write(handOverSql({ role, owner })))
  }
}

function refuseUnreachable(role: string, left: readonly Left[]): void {
  const prepared = left.filter(({ kind }) => kind === 'prepared')
  if (prepared.length > 0) {
    const statements = prepared.map(
      ({ name, database }) => `ROLLBACK PREPARED ${quoteLiteral(name ?? '')} in ${database}`,
    )
    throw targetError(
      'refused',
      `${role} left prepared transactions behind; a superuser has to run ${statements.join(', ')}`,
    )
  }
  const closed = left.filter(({ reachable }) => !reachable).map(({ database }) => database)
  if (closed.length > 0) {
    throw targetError(
      'refused',
      `${role} has objects or privileges in ${closed.join(', ')}, where the admin login may not connect; GRANT CONNECT there`,
    )
  }
}
