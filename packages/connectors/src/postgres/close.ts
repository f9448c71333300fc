/** The verb `close`: the steps of the `close-*.sql` files, in their order. Each may have been done by an earlier call. */

import type { GrantId } from '@tidegate/core'
import type { CloseOutcome, Target } from '../contract.ts'
import { limits } from '../limits.ts'
import { type Attempt, attempt, type Session } from './attempt.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { hasState, isDuplicate, states, targetError } from './failure.ts'
import { loginName } from './names.ts'
import { membershipOptions } from './open.ts'
import type { Pool } from './pool.ts'
import type { Privileges } from './privileges.ts'
import { quoteLiteral, sqlFile } from './sql-file.ts'

const shutSql = sqlFile('close-1-shut.sql')
const absentSql = sqlFile('close-1-absent.sql')
const claimSql = sqlFile('close-2-claim.sql')
const sessionsSql = sqlFile('close-3-sessions.sql')
const startingSql = sqlFile('close-3-starting.sql')
const leftSql = sqlFile('close-4-left.sql')
const handOverSql = sqlFile('close-5-hand-over.sql')
const dropSql = sqlFile('close-6-drop.sql')
const goneSql = sqlFile('close-7-gone.sql')
const loginSql = sqlFile('login.sql')

export const close = (target: Target<PostgresConfig, Privileges>, pool: Pool, grant: GrantId): Promise<CloseOutcome> =>
  attempt({ pool, timeoutMs: target.limits.operationTimeoutMs }, async (run): Promise<CloseOutcome> => {
    const { config } = target
    const login = loginName(config, grant)
    const endWithinMs = Math.min(limits.sessionsEndWithinMs, target.limits.operationTimeoutMs / 2)
    const shut = await run.on(primaryDatabase(config), (session) => shutAndClear(session, { login, endWithinMs }))
    if (shut === 'absent') return { outcome: 'closed', existed: false, sessionsEnded: 0 }
    await handOver(run, config, { login, left: shut.left })
    await run.on(primaryDatabase(config), (session) => dropAndReadBack(session, { login, oid: shut.oid }))
    return { outcome: 'closed', existed: true, sessionsEnded: shut.sessionsEnded }
  })

type Cleared = { readonly oid: string; readonly sessionsEnded: number; readonly left: readonly Left[] }

type Ending = { readonly login: string; readonly endWithinMs: number }

async function shutAndClear(session: Session, { login, endWithinMs }: Ending): Promise<Cleared | 'absent'> {
  if ((await shutLogin(session, login)) === 'absent') return 'absent'
  const [found] = await session.read(loginSql(), [login])
  // Another call of this verb is faster; it is for the next call to see what came of it.
  if (found === undefined)
    throw targetError('fault', `the login ${login} was dropped by someone else meanwhile; close again`)
  await session.write(claimSql({ login, membership: membershipOptions(session) }))
  const sessionsEnded = await endSessions(session, { login, endWithinMs })
  const left = (await session.read(leftSql(), [login])) as readonly Left[]
  return { oid: String(found['oid']), sessionsEnded, left }
}

async function shutLogin(session: Session, login: string): Promise<'shut' | 'absent'> {
  try {
    await session.write(shutSql({ login }))
    return 'shut'
  } catch (error) {
    if (!hasState(error, states.undefinedObject)) throw error
  }
  try {
    await session.write(absentSql({ login }))
    return 'absent'
  } catch (error) {
    if (!isDuplicate(error)) throw error
  }
  await session.write(shutSql({ login }))
  return 'shut'
}

/** Returns how many sessions were ended. */
async function endSessions(session: Session, { login, endWithinMs }: Ending): Promise<number> {
  const ended = new Set<unknown>()
  let starting = await connectionsInTheMaking(session)
  for (let waitedMs = 0, pauseMs = 2; ; waitedMs += pauseMs, pauseMs = Math.min(pauseMs * 2, limits.pollAtMostMs)) {
    const pids = (await session.read(sessionsSql(), [login])).map(({ pid }) => pid)
    for (const pid of pids) ended.add(pid)
    const settled = starting.size === 0 || waitedMs >= limits.connectionsSettleWithinMs
    if (pids.length === 0 && settled) return ended.size
    if (pids.length > 0 && waitedMs >= endWithinMs) throw stillRunning(login, pids)
    // The target waits, so that one deadline, that of the verb, covers everything.
    await session.read('SELECT pg_sleep($1)', [pauseMs / 1_000])
    const still = starting.size === 0 ? starting : await connectionsInTheMaking(session)
    starting = new Set([...starting].filter((id) => still.has(id)))
  }
}

const connectionsInTheMaking = async (session: Session): Promise<ReadonlySet<unknown>> =>
  new Set((await session.read(startingSql(), [])).map(({ id }) => id))

const stillRunning = (login: string, pids: readonly unknown[]) =>
  targetError(
    'timeout',
    `sessions of ${login} do not end: process ${pids.join(', ')} on the target; ask its operator to end them`,
  )

/** Something that keeps the login from being dropped. */
type Left = {
  readonly kind: 'objects' | 'prepared'
  /** Null: the cluster as a whole. */
  readonly database: string | null
  /** Of a prepared transaction. */
  readonly name: string | null
  readonly reachable: boolean
}

async function handOver(
  run: Attempt,
  config: PostgresConfig,
  { login, left }: { readonly login: string; readonly left: readonly Left[] },
): Promise<void> {
  const prepared = left.filter(({ kind }) => kind === 'prepared')
  if (prepared.length > 0) {
    const names = prepared.map(({ name, database }) => `ROLLBACK PREPARED ${quoteLiteral(name ?? '')} in ${database}`)
    throw targetError(
      'refused',
      `${login} left prepared transactions behind; a superuser has to end them: ${names.join(', ')}`,
    )
  }
  const closed = left.filter(({ reachable }) => !reachable).map(({ database }) => database)
  if (closed.length > 0) {
    throw targetError(
      'refused',
      `${login} has objects or privileges in ${closed.join(', ')}, where the admin login cannot connect; let it`,
    )
  }
  const { owner } = config
  for (const database of new Set(left.map((one) => one.database ?? primaryDatabase(config)))) {
    await run.on(database, (session) => session.write(handOverSql({ login, owner })))
  }
}

async function dropAndReadBack(
  session: Session,
  { login, oid }: { readonly login: string; readonly oid: string },
): Promise<void> {
  try {
    await session.write(dropSql({ login }))
  } catch (error) {
    if (!hasState(error, states.undefinedObject)) throw error
  }
  const [gone] = await session.read(goneSql(), [login, oid])
  if (gone?.['present'] !== false)
    throw targetError('fault', `the login ${login} was dropped and is there again; close again`)
  const sessions = gone['sessions'] as readonly unknown[]
  if (sessions.length > 0) throw stillRunning(login, sessions)
}
