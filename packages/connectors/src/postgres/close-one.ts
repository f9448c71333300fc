/** One login, closed with care: where it is not there, where its holder is in the way, where the target objects. */

import type { CloseOutcome, Target } from '../contract.ts'
import { limits } from '../limits.ts'
import { attempt, type Session } from './attempt.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { hasState, isDuplicate, isHeldUp, states, targetError } from './failure.ts'
import { claimText, handOver, type Left, leftOf } from './hand-over.ts'
import { asIssuerOf, asSomeIssuerThere } from './issuers.ts'
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

type Wanted = { readonly login: string; readonly timeoutMs: number }

export const closeOne = (
  target: Target<PostgresConfig, Privileges>,
  pool: Pool,
  { login, timeoutMs }: Wanted,
): Promise<CloseOutcome> =>
  attempt({ pool, timeoutMs, urgent: true }, async (run): Promise<CloseOutcome> => {
    const { config } = target
    const endWithinMs = Math.min(limits.sessionsEndWithinMs, timeoutMs / 2)
    const shut = await run.on(primaryDatabase(config), (session) =>
      shutAndClear(session, { config, login, endWithinMs }),
    )
    if (shut === 'absent') return { outcome: 'closed', existed: false, sessionsEnded: 0 }
    await handOver(run, config, { role: login, left: shut.left })
    await run.on(primaryDatabase(config), (session) =>
      dropAndReadBack(session, { login, oid: shut.oid, issuer: shut.issuer }),
    )
    return { outcome: 'closed', existed: true, sessionsEnded: shut.sessionsEnded }
  })

type Cleared = Shut & { readonly oid: string; readonly left: readonly Left[] }

/** `issuer`: what statements about the login have to begin with. */
type Shut = { readonly sessionsEnded: number; readonly issuer: string }

type Ending = { readonly config: PostgresConfig; readonly login: string; readonly endWithinMs: number }

async function shutAndClear(session: Session, ending: Ending): Promise<Cleared | 'absent'> {
  const { login } = ending
  const shut = await shutLogin(session, ending)
  if (shut === 'absent') return 'absent'
  const { issuer } = shut
  const [found] = await session.read(loginSql(), [login])
  // Another call of this verb is faster; it is for the next call to see what came of it.
  if (found === undefined)
    throw targetError('fault', `the login ${login} was dropped by someone else meanwhile; close again`)
  await session.write(issuer + claimText(session, login))
  const sessionsEnded = shut.sessionsEnded + (await endAll(session, ending))
  return { issuer, oid: String(found['oid']), sessionsEnded, left: await leftOf(session, [login]) }
}

async function shutLogin(session: Session, ending: Ending): Promise<Shut | 'absent'> {
  const { config, login } = ending
  let sessionsEnded = 0
  for (let rest = shutAttempts; ; rest--) {
    const issuer = await asIssuerOf(session, config, login)
    try {
      await session.write(issuer + shutSql({ login }))
      return { issuer, sessionsEnded }
    } catch (error) {
      if (hasState(error, states.undefinedObject)) {
        if (await isAbsent(session, config, login)) return 'absent'
      } else if (isHeldUp(error) && rest > 0) {
        sessionsEnded += await disarm(session, issuer, ending)
      } else throw error
    }
  }
}

const shutAttempts = 5

/** False: it came meanwhile. */
async function isAbsent(session: Session, config: PostgresConfig, login: string): Promise<boolean> {
  const issuer = await asSomeIssuerThere(session, config)
  try {
    await session.write(issuer + absentSql({ login }))
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
async function disarm(session: Session, issuer: string, ending: Ending): Promise<number> {
  const { login } = ending
  const [found] = await session.read(loginSql(), [login])
  for (const group of (found?.['groups'] ?? []) as readonly string[])
    await session.write(issuer + leaveSql({ group, member: login }))
  await session.write(issuer + claimText(session, login))
  return endAll(session, ending)
}

/** Returns how many sessions were ended. */
async function endAll(session: Session, { login, endWithinMs }: Omit<Ending, 'config'>): Promise<number> {
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
