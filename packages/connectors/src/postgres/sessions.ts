/** Ends the sessions of logins that have been shut. */

import { limits } from '../limits.ts'
import type { Session } from './attempt.ts'
import { targetError } from './failure.ts'
import { sqlFile } from './sql-file.ts'

const sessionsSql = sqlFile('close-3-sessions.sql')
const startingSql = sqlFile('close-3-starting.sql')

type Ending = { readonly logins: readonly string[]; readonly endWithinMs: number }

/** Process ids by the oid of their login. */
type Processes = ReadonlyMap<string, ReadonlySet<unknown>>

/** `running`: was told to end and has not. */
export type Ended = { readonly ended: Processes; readonly running: Processes }

export async function endSessions(session: Session, { logins, endWithinMs }: Ending): Promise<Ended> {
  const ended = new Map<string, Set<unknown>>()
  let starting = await connectionsInTheMaking(session)
  for (let waitedMs = 0, pauseMs = 2; ; waitedMs += pauseMs, pauseMs = Math.min(pauseMs * 2, limits.pollAtMostMs)) {
    const running = new Map<string, Set<unknown>>()
    for (const { oid, pid } of await session.read(sessionsSql(), [logins])) {
      for (const processes of [ended, running]) add(processes, String(oid), pid)
    }
    const settled = starting.size === 0 || waitedMs >= limits.connectionsSettleWithinMs
    if ((running.size === 0 && settled) || (running.size > 0 && waitedMs >= endWithinMs)) return { ended, running }
    // The target waits, so that one deadline, that of the verb, covers everything.
    await session.read('SELECT pg_sleep($1)', [pauseMs / 1_000])
    const still = starting.size === 0 ? starting : await connectionsInTheMaking(session)
    starting = new Set([...starting].filter((id) => still.has(id)))
  }
}

function add(processes: Map<string, Set<unknown>>, oid: string, pid: unknown): void {
  const known = processes.get(oid) ?? new Set()
  processes.set(oid, known.add(pid))
}

const connectionsInTheMaking = async (session: Session): Promise<ReadonlySet<unknown>> =>
  new Set((await session.read(startingSql(), [])).map(({ id }) => id))

export const stillRunning = (login: string, pids: Iterable<unknown>) =>
  targetError(
    'timeout',
    `sessions of ${login} do not end: process ${[...pids].join(', ')} on the target; ask its operator to end them`,
  )
