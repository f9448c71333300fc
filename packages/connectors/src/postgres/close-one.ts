/** One login, closed with care: where it is not there, where its holder is in the way, where the target objects. */

import type { GrantId } from '@tidegate/core'
import type { CloseOutcome, Target } from '../contract.ts'
import { limits } from '../limits.ts'
import { attempt, type Session } from './attempt.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { hasState, isDuplicate, isHeldUp, states, targetError } from './failure.ts'
import { claimText, handOver, type Left, leftOf } from './hand-over.ts'
import { asIssuer } from './issuers.ts'
import type { Pool } from './pool.ts'
import type { Privileges } from './privileges.ts'
import { endSessions, stillRunning } from './sessions.ts'
import { sqlFile } from './sql-file.ts'

const shutSql = sqlFile('close-1-shut.sql')
const absentSql = sqlFile('close-1-absent.sql')
const dropSql = sqlFile('close-6-drop.sql')
const goneSql = sqlFile('close-7-gone.sql')
const loginSql = sqlFile('login.sql')
const leaveSql = sqlFile('leave.sql')

type Wanted = { readonly grant: GrantId; readonly login: string; readonly timeoutMs: number }

export const closeOne = (
  target: Target<PostgresConfig, Privileges>,
  pool: Pool,
  { grant, login, timeoutMs }: Wanted,
): Promise<CloseOutcome> =>
  attempt({ pool, timeoutMs, urgent: true }, async (run): Promise<CloseOutcome> => {
    const { config } = target
    const endWithinMs = Math.min(limits.sessionsEndWithinMs, timeoutMs / 2)
    const shut = await run.on(primaryDatabase(config), (session) =>
      shutAndClear(session, { login, endWithinMs, issuer: asIssuer(session, config, grant) }),
    )
    if (shut === 'absent') return { outcome: 'closed', existed: false, sessionsEnded: 0 }
    await handOver(run, config, { role: login, left: shut.left })
    await run.on(primaryDatabase(config), (session) =>
      dropAndReadBack(session, { login, oid: shut.oid, issuer: asIssuer(session, config, grant) }),
    )
    return { outcome: 'closed', existed: true, sessionsEnded: shut.sessionsEnded }
  })

type Cleared = { readonly oid: string; readonly sessionsEnded: number; readonly left: readonly Left[] }

/** `issuer`: what statements about the login have to begin with. */
type Ending = { readonly login: string; readonly endWithinMs: number; readonly issuer: string }

async function shutAndClear(session: Session, ending: Ending): Promise<Cleared | 'absent'> {
  const { login, issuer } = ending
  const shut = await shutLogin(session, ending)
  if (shut.state === 'absent') return 'absent'
  const [found] = await session.read(loginSql(), [login])
  // Another call of this verb is faster; it is for the next call to see what came of it.
  if (found === undefined)
    throw targetError('fault', `the login ${login} was dropped by someone else meanwhile; close again`)
  await session.write(issuer + claimText(session, login))
  const sessionsEnded = shut.sessionsEnded + (await endAll(session, ending))
  return { oid: String(found['oid']), sessionsEnded, left: await leftOf(session, [login]) }
}

async function shutLogin(session: Session, ending: Ending): Promise<Shut> {
  const { login, issuer } = ending
  let sessionsEnded = 0
  for (let rest = shutAttempts; ; rest--) {
    try {
      await session.write(issuer + shutSql({ login }))
      return { state: 'shut', sessionsEnded }
    } catch (error) {
      if (hasState(error, states.undefinedObject)) {
        if (await isAbsent(session, login)) return { state: 'absent', sessionsEnded }
      } else if (isHeldUp(error) && rest > 0) {
        sessionsEnded += await disarm(session, ending)
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
async function disarm(session: Session, ending: Ending): Promise<number> {
  const { login, issuer } = ending
  const [found] = await session.read(loginSql(), [login])
  for (const group of (found?.['groups'] ?? []) as readonly string[])
    await session.write(issuer + leaveSql({ group, member: login }))
  await session.write(issuer + claimText(session, login))
  return endAll(session, ending)
}

/** Returns how many sessions were ended. */
async function endAll(session: Session, { login, endWithinMs }: Omit<Ending, 'issuer'>): Promise<number> {
  const { ended, running } = await endSessions(session, { logins: [login], endWithinMs })
  for (const pids of running.values()) throw stillRunning(login, pids)
  return [...ended.values()].reduce((sum, pids) => sum + pids.size, 0)
}

async function dropAndReadBack(
  session: Session,
  { login, oid, issuer }: { readonly login: string; readonly oid: string; readonly issuer: string },
): Promise<void> {
  try {
    await session.write(issuer + dropSql({ login }))
  } catch (error) {
    if (!hasState(error, states.undefinedObject)) throw error
  }
  const there = await session.read(goneSql(), [[login], [oid]])
  if (there.some((row) => row['login'] !== null)) throw thereAgain(login)
  if (there.length > 0)
    throw stillRunning(
      login,
      there.map(({ pid }) => pid),
    )
}

export const thereAgain = (login: string) =>
  targetError('fault', `the login ${login} was dropped and is there again; close again`)
