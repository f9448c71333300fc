/**
 * The verb `close`: the steps of the `close-*.sql` files, in their order. Each may have been done by an earlier call.
 *
 * Grants often end in crowds: at the end of a shift, or of an incident. What is asked for at the same moment, or while
 * others are being closed, is closed together, in as many statements as one. If the target objects to any of it, each is closed by itself, with the care
 * of `close-one.ts`, so that one that is in trouble holds up no other.
 */

import type { GrantId } from '@tidegate/core'
import type { CloseOutcome, Target } from '../contract.ts'
import { limits } from '../limits.ts'
import { attempt, type Attempt, type Session } from './attempt.ts'
import { closeOne, thereAgain } from './close-one.ts'
import { type PostgresConfig, primaryDatabase } from './config.ts'
import { failureOf, isAnswer } from './failure.ts'
import { gather } from './gather.ts'
import { claimText, handOver, type Left, leftOf } from './hand-over.ts'
import { asIssuers, type Made } from './issuers.ts'
import { issuerNames, loginName } from './names.ts'
import type { Pool } from './pool.ts'
import type { Privileges } from './privileges.ts'
import { endSessions, stillRunning } from './sessions.ts'
import { sqlFile } from './sql-file.ts'

const shutSql = sqlFile('close-1-shut.sql')
const loginsSql = sqlFile('close-0-logins.sql')
const dropSql = sqlFile('close-6-drop.sql')
const goneSql = sqlFile('close-7-gone.sql')

type PostgresTarget = Target<PostgresConfig, Privileges>
type Close = (grant: GrantId) => Promise<CloseOutcome>

export const createClose = (target: PostgresTarget, pool: Pool): Close =>
  gather({ together: (grants) => closeTogether(target, pool, grants), patienceMs: limits.gatherAtMostMs })

type Outcomes = ReadonlyMap<GrantId, CloseOutcome>

type Login = { readonly grant: GrantId; readonly name: string }

async function closeTogether(target: PostgresTarget, pool: Pool, grants: readonly GrantId[]): Promise<Outcomes> {
  const { operationTimeoutMs } = target.limits
  const began = performance.now()
  const logins = grants.map((grant): Login => ({ grant, name: loginName(target.config, grant) }))
  const seen = new Map<string, Seen>()
  const outcomes = await attempt({ pool, timeoutMs: operationTimeoutMs, urgent: true }, async (run) => {
    try {
      return await closePresent(run, target, { logins, seen })
    } catch (error) {
      if (isAnswer(error)) return new Map<GrantId, CloseOutcome>()
      throw error
    }
  })
  if ('outcome' in outcomes) return new Map(grants.map((grant) => [grant, outcomes]))
  const timeoutMs = Math.max(1, Math.round(operationTimeoutMs - (performance.now() - began)))
  const rest = logins.filter(({ grant }) => !outcomes.has(grant))
  const alone = rest.map(async ({ grant, name }) => {
    const outcome = await closeOne(target, pool, { login: name, timeoutMs })
    return [grant, withSeen(outcome, seen.get(name))] as const
  })
  return new Map([...outcomes, ...(await Promise.all(alone))])
}

/** What was found of a login before the target objected. */
type Seen = { readonly oid: string; readonly issuer: string | undefined; sessionsEnded: number }

function withSeen(outcome: CloseOutcome, seen: Seen | undefined): CloseOutcome {
  if (seen === undefined) return outcome
  if (outcome.outcome === 'failed') return { ...outcome, notDone: false }
  return { ...outcome, existed: true, sessionsEnded: outcome.sessionsEnded + seen.sessionsEnded }
}

type Crowd = { readonly logins: readonly Login[]; readonly seen: Map<string, Seen> }

/** Those of the logins that are there. Of one that is not, something has to be known that takes more care. */
async function closePresent(run: Attempt, target: PostgresTarget, { logins, seen }: Crowd): Promise<Outcomes> {
  const { config } = target
  const endWithinMs = Math.min(limits.sessionsEndWithinMs, target.limits.operationTimeoutMs / 2)
  const { running, left } = await run.on(primaryDatabase(config), (session) =>
    shutAndClear(session, { logins, seen, endWithinMs, config }),
  )
  for (const login of new Set(left.map(({ role }) => role)))
    await handOver(run, config, { role: login, left: left.filter(({ role }) => role === login) })
  const empty = [...seen.keys()].filter((name) => !running.has(name))
  const back = await run.on(primaryDatabase(config), (session) => dropAndReadBack(session, { names: empty, seen }))
  const present = logins.filter(({ name }) => seen.has(name))
  return new Map(
    present.map(({ grant, name }) => [grant, outcomeOf(seen.get(name), running.get(name) ?? back.get(name))]),
  )
}

const outcomeOf = (seen: Seen | undefined, trouble: Error | undefined): CloseOutcome =>
  trouble === undefined
    ? { outcome: 'closed', existed: true, sessionsEnded: seen?.sessionsEnded ?? 0 }
    : failureOf(trouble, false)

/** By the name of the login. */
type Troubles = ReadonlyMap<string, Error>

type Shutting = Crowd & { readonly config: PostgresConfig; readonly endWithinMs: number }
type Cleared = { readonly running: Troubles; readonly left: readonly Left[] }

type Found = { readonly login: string; readonly oid: string; readonly issuer: string | null }

async function shutAndClear(session: Session, { logins, seen, endWithinMs, config }: Shutting): Promise<Cleared> {
  const values = [logins.map(({ name }) => name), issuerNames(config)]
  for (const { login, oid, issuer } of (await session.read(loginsSql(), values)) as readonly Found[])
    seen.set(login, { oid, issuer: issuer ?? undefined, sessionsEnded: 0 })
  const present = [...seen.keys()]
  if (present.length === 0) return { running: new Map(), left: [] }
  // One transaction: at its end none of them lets anyone in, and the admin may end what is running.
  const made = madeOf(seen)
  const shut = asIssuers(made, (login) => shutSql({ login }))
  await session.write(`${shut}\n${asIssuers(made, (login) => claimText(session, login))}`)
  const { ended, running } = await endSessions(session, { logins: present, endWithinMs })
  const troubles = new Map<string, Error>()
  for (const [name, one] of seen) {
    one.sessionsEnded += ended.get(one.oid)?.size ?? 0
    const pids = running.get(one.oid)
    if (pids) troubles.set(name, stillRunning(name, pids))
  }
  const empty = present.filter((name) => !troubles.has(name))
  return { running: troubles, left: await leftOf(session, empty) }
}

const madeOf = (seen: ReadonlyMap<string, Seen>): readonly Made[] =>
  [...seen].map(([name, { issuer }]) => ({ name, issuer }))

type Dropping = { readonly names: readonly string[]; readonly seen: ReadonlyMap<string, Seen> }

/** A login by its name, or a session by its login's oid. */
type There = { readonly login: string | null; readonly oid: string | null; readonly pid: number | null }

async function dropAndReadBack(session: Session, { names, seen }: Dropping): Promise<Troubles> {
  if (names.length === 0) return new Map()
  const made = madeOf(seen).filter(({ name }) => names.includes(name))
  await session.write(asIssuers(made, (login) => dropSql({ login })))
  const oids = names.map((name) => seen.get(name)?.oid)
  const troubles = new Map<string, Error>()
  const there = (await session.read(goneSql(), [names, oids])) as readonly There[]
  for (const { login, oid, pid } of there) {
    const name = login ?? names[oids.indexOf(oid ?? '')]
    if (name !== undefined) troubles.set(name, login === null ? stillRunning(name, [pid]) : thereAgain(name))
  }
  return troubles
}
