/** The verb `close`: the steps of the `close-*.sql` files, in their order. Each may have been done by an earlier call. */

import type { GrantId } from '@tidegate/core'
import type { CloseOutcome, Target } from '../contract.ts'
import { limits } from '../limits.ts'
import { attempt, type Session } from './attempt.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { hasState, isDuplicate, isHeldUp, states, targetError } from './failure.ts'
import { loginName } from './names.ts'
import { claim, handOver, type Left, leftOf } from './hand-over.ts'
import type { Pool } from './pool.ts'
import type { Privileges } from './privileges.ts'
import { sqlFile } from './sql-file.ts'

const shutSql = sqlFile('close-1-shut.sql')
const absentSql = sqlFile('close-1-absent.sql')
const sessionsSql = sqlFile('close-3-sessions.sql')
const startingSql = sqlFile('close-3-starting.sql')
const dropSql = sqlFile('close-6-drop.sql')
const goneSql = sqlFile('close-7-gone.sql')
const loginSql = sqlFile('login.sql')
const leaveSql = sqlFile('leave.sql')

export const close = (target: Target<PostgresConfig, Privileges>, pool: Pool, grant: GrantId): Promise<CloseOutcome> =>
  attempt({ pool, timeoutMs: target.limits.operationTimeoutMs, urgent: true }, async (run): Promise<CloseOutcome> => {
    const { config } = target
    const login = loginName(config, grant)
    const endWithinMs = Math.min(limits.sessionsEndWithinMs, target.limits.operationTimeoutMs / 2)
    const shut = await run.on(primaryDatabase(config), (session) => shutAndClear(session, { login, endWithinMs }))
    if (shut === 'absent') return { outcome: 'closed', existed: false, sessionsEnded: 0 }
    await handOver(run, config, { role: login, left: shut.left })
    await run.on(primaryDatabase(config), (session) => dropAndReadBack(session, { login, oid: shut.oid }))
    return { outcome: 'closed', existed: true, sessionsEnded: shut.sessionsEnded }
  })

type Cleared = { readonly oid: string; readonly sessionsEnded: number; readonly left: readonly Left[] }

type Ending = { readonly login: string; readonly endWithinMs: number }

async function shutAndClear(session: Session, { login, endWithinMs }: Ending): Promise<Cleared | 'absent'> {
  const shut = await shutLogin(session, { login, endWithinMs })
  if (shut.state === 'absent') return 'absent'
  const [found] = await session.read(loginSql(), [login])
  // Another call of this verb is faster; it is for the next call to see what came of it.
  if (found === undefined)
    throw targetError('fault', `the login ${login} was dropped by someone else meanwhile; close again`)
  await claim(session, login)
  const sessionsEnded = shut.sessionsEnded + (await endSessions(session, { login, endWithinMs }))
  return { oid: String(found['oid']), sessionsEnded, left: await leftOf(session, login) }
}

async function shutLogin(session: Session, { login, endWithinMs }: Ending): Promise<Shut> {
  let sessionsEnded = 0
  for (let rest = shutAttempts; ; rest--) {
    try {
      await session.write(shutSql({ login }))
      return { state: 'shut', sessionsEnded }
    } catch (error) {
      if (hasState(error, states.undefinedObject)) {
        if (await isAbsent(session, login)) return { state: 'absent', sessionsEnded }
      } else if (isHeldUp(error) && rest > 0) {
        sessionsEnded += await disarm(session, { login, endWithinMs })
      } else throw error
    }
  }
}

type Shut = { readonly state: 'shut' | 'absent'; readonly sessionsEnded: number }

const shutAttempts = 5

/** False: it came meanwhile. */
async function isAbsent(session: Session, login: string): Promise<boolean> {
  try {
    await session.write(absentSql({ login }))
    return true
  } catch (error) {
    if (isDuplicate(error)) return false
    throw error
  }
}

/**
 * The holder keeps the login from being shut with a transaction that is in the way. So its privileges go first, which
 * nobody can hold up, and then its sessions; who comes back in before the login is shut can do nothing any more.
 */
async function disarm(session: Session, { login, endWithinMs }: Ending): Promise<number> {
  const [found] = await session.read(loginSql(), [login])
  for (const group of (found?.['groups'] ?? []) as readonly string[])
    await session.write(leaveSql({ group, member: login }))
  await claim(session, login)
  return endSessions(session, { login, endWithinMs })
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
