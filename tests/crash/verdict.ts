/** After the chaos, when everything runs again: was anything lost, left open, done twice or forgotten? */

import { transient } from './calls.ts'
import type { Row } from './cluster.ts'
import { eventuallyNone } from './eventually.ts'
import type { Figures } from './figures.ts'
import { figuresOf } from './figures.ts'
import type { CrashTarget, Fleet } from './fleet.ts'
import { lost, subjectOf } from './kept.ts'
import { ownReason } from './ledger.ts'
import type { Ledger } from './ledger.ts'
import { logProblems } from './log-check.ts'

export type Verdict = {
  /** Each is something that must never be. */
  readonly violations: readonly string[]
  readonly figures: Figures
}

const settleWithinMs = 120_000

/** Everything runs, and nothing waits to be done. */
export async function settle(fleet: Fleet): Promise<void> {
  await fleet.startAll()
  const none = (what: string, text: string, values: readonly unknown[] = []): Promise<void> =>
    eventuallyNone({ what, withinMs: settleWithinMs }, () => fleet.inStore(text, values))
  await none(
    'every grant that was opened is closed',
    `select id, state, close_failures, close_error, due_at from tidegate.access_grant
     where state not in ('scheduled', 'ready', 'ended')`,
  )
  await none(
    'every target has been compared with the live grants since, and is in order',
    'select * from tidegate.target_state where failures > 0 or tended_at is null or tended_at < $1',
    [new Date()],
  )
  await none('every entry has its place', 'select serial from tidegate.audit_entry where leaf_index is null')
}

export async function judge(fleet: Fleet, ledger: Ledger): Promise<Verdict> {
  const entries = await fleet.inStore(
    `select id, type, request, grant_id as grant, leaf_index as index, convert_from(body, 'utf8')::jsonb as body
     from tidegate.audit_entry order by serial`,
  )
  const grants = await fleet.inStore('select * from tidegate.access_grant')
  const violations = [
    ...ledger.violations,
    ...badAnswers(ledger),
    ...stoppedShort(ledger),
    ...(await lost(fleet, ledger, entries)),
    ...countedTwice(entries),
    ...(await filedTwice(fleet)),
    ...badlyEnded(grants, entries),
    ...(await overdue(fleet)),
    ...(await staleFindings(fleet)),
    ...(await leftOpen(fleet)),
    ...(await logProblems(fleet, ledger, entries)),
    ...processProblems(fleet),
  ]
  return { violations, figures: await figuresOf(fleet, { ledger, entries, grants }) }
}

/** What people at work may be answered while things break. Anything else is a defect. */
const fairAnswers = new Set([
  'done',
  'unavailable',
  'target-unavailable',
  'grant-busy',
  'grant-ended',
  'already-answered',
  'request-settled',
])

const badAnswers = ({ tally }: Ledger): string[] =>
  [...tally].filter(([code]) => !fairAnswers.has(code)).map(([code, count]) => `${code} was answered ${count} times`)

/** Fewer would prove nothing. */
const fewestAccesses = 3

/** When all is well again everyone gets through with what they began, and somebody had begun something. */
function stoppedShort({ lives }: Ledger): string[] {
  const given = lives.flatMap(({ reason, stopped }) =>
    stopped && transient.includes(stopped.refused)
      ? [`${reason} was given up: to ${stopped.at} was ${stopped.refused} to the end: ${stopped.detail}`]
      : [],
  )
  const uncut = lives.filter(({ session, end }) => session && end && session.cutAt === undefined)
  const seenThrough = lives.filter(({ end }) => end).length
  return [
    ...given,
    ...uncut.map(({ reason, opened }) => `${reason}: the session of ${String(opened?.login)} was not cut`),
    ...(seenThrough < fewestAccesses ? [`only ${seenThrough} accesses were seen to their end`] : []),
  ]
}

/** What can be told of a request or a grant once, however often it was tried. */
const oneTime = new Set([
  'request.filed',
  'request.approved',
  'request.denied',
  'request.cancelled',
  'request.expired',
  'request.failed',
  'grant.created',
  'grant.opened',
  'grant.ending',
  'grant.ended',
])

function countedTwice(entries: readonly Row[]): string[] {
  const counts = new Map<string, number>()
  for (const entry of entries) {
    const type = String(entry['type'])
    if (!oneTime.has(type)) continue
    const what = `${type} of ${subjectOf(entry)}`
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  return [...counts].filter(([, count]) => count > 1).map(([what, count]) => `${what} stands in the log ${count} times`)
}

/** Whoever asks again with the same key has asked once, and everyone's reason is their own. */
async function filedTwice({ inStore }: Fleet): Promise<string[]> {
  const reasons = await inStore(
    `select reason, count(*) as count from tidegate.access_request where starts_with(reason, $1)
     group by reason having count(*) > 1`,
    [ownReason],
  )
  return reasons.map(({ reason, count }) => `${String(reason)} was filed ${String(count)} times`)
}

/** Why grants end here: facts, policies and resources stay as they are. */
const fairReasons = new Set(['expired', 'done', 'revoked', 'open-failed'])

function badlyEnded(grants: readonly Row[], entries: readonly Row[]): string[] {
  const of = (type: string): Map<unknown, Row> =>
    new Map(entries.filter((entry) => entry['type'] === type).map((entry) => [entry['grant'], entry]))
  const [created, opened, ended] = [of('grant.created'), of('grant.opened'), of('grant.ended')]
  return grants.flatMap(({ id, state, end_reason: reason }) => {
    const end = ended.get(id)?.['body'] as { verifiedGone?: boolean } | undefined
    if (!created.has(id)) return [`${String(id)} has no entry of its beginning`]
    if ((state === 'ended') !== ended.has(id))
      return [`${String(id)} is ${String(state)}, and its entries say otherwise`]
    if (state === 'ended' && !fairReasons.has(String(reason)))
      return [`${String(id)} ended as ${String(reason)}, and nobody gave it that reason`]
    if (opened.has(id) && end && end.verifiedGone !== true) return [`${String(id)} ended without being read back`]
    return []
  })
}

/** Some work is always just due; nothing waits this long when all is well. */
const overdueMs = 5_000

async function overdue({ inStore }: Fleet): Promise<string[]> {
  const before = new Date(Date.now() - overdueMs)
  const grants = await inStore('select id, state from tidegate.access_grant where due_at < $1', [before])
  const requests = await inStore(
    `select id, status as state from tidegate.access_request where status = 'pending' and pending_until < $1`,
    [before],
  )
  return [...grants, ...requests].map(({ id, state }) => `${String(id)} is forgotten as ${String(state)}`)
}

/** What nobody has to look at any more. */
async function staleFindings({ inStore }: Fleet): Promise<string[]> {
  const findings = await inStore(
    `select kind, subject from tidegate.finding where closed_at is null and kind in ('close-failing', 'target-untended')`,
  )
  return findings.map(({ kind, subject }) => `${String(kind)} is still open about ${String(subject)}`)
}

async function leftOpen(fleet: Fleet): Promise<string[]> {
  const problems = await Promise.all(fleet.targets.map((target) => leftOn(fleet, target)))
  return problems.flat()
}

async function leftOn({ onTarget, inStore }: Fleet, target: CrashTarget): Promise<string[]> {
  const logins = await onTarget(target, 'select rolname from pg_roles where starts_with(rolname, $1)', [
    `${target.prefix}grt_`,
  ])
  const sessions = await onTarget(
    target,
    // One whose login was dropped under it has nobody's name.
    `select coalesce(usename, 'nobody') as usename from pg_stat_activity
     where starts_with(usename, $1) or (usename is null and usesysid is not null)`,
    [`${target.prefix}grt_`],
  )
  const live = await inStore(`select id from tidegate.access_grant where state in ('provisioning', 'active', 'ending')`)
  const allowed = new Set(live.map(({ id }) => `${target.prefix}${String(id)}`))
  const found = [
    ...logins.map(({ rolname: login }) => ({ login, what: `the login ${String(login)}` })),
    ...sessions.map(({ usename: login }) => ({ login, what: `a session of ${String(login)}` })),
  ]
  return found
    .filter(({ login }) => !allowed.has(String(login)))
    .map(({ what }) => `${what} is still on ${target.resource}, and no live grant gives it`)
}

/** A server ends when it is told to, and never says that something went wrong inside it. */
function processProblems({ members }: Fleet): string[] {
  return members.flatMap((member) => {
    const died = member.deaths() > 0 ? [`${member.name} ended by itself ${member.deaths()} times`] : []
    const said = member
      .written()
      .split('\n')
      // That a server ends without its store is in how often it ended.
      .filter(
        (line) =>
          /"level":60|an operation failed|uncaught|unhandled/i.test(line) && !line.includes('PostgreSQL is gone'),
      )
    return [...died, ...said.slice(0, 5).map((line) => `${member.name} wrote: ${line.slice(0, 2_000)}`)]
  })
}
