/** After the chaos, when everything runs again: was anything lost, left open, done twice or forgotten? */

import {
  httpSource,
  leafHash,
  openCheckpoint,
  parseVerifierKey,
  readEntries,
  encodeEntry,
  growTree,
  emptyEdge,
  verifyLog,
} from '@tidegate/audit'
import type { LogEntry } from '@tidegate/audit'
import type { Row } from './cluster.ts'
import { eventuallyNone } from './eventually.ts'
import type { CrashTarget, Fleet } from './fleet.ts'
import type { Ledger } from './ledger.ts'
import { endOfSession } from './ledger.ts'

export type Verdict = {
  /** Each is something that must never be. */
  readonly violations: readonly string[]
  readonly figures: Readonly<Record<string, number | string>>
}

const settleWithinMs = 90_000

/** Everything runs, and nothing waits to be done. */
export async function settle(fleet: Fleet): Promise<void> {
  await fleet.startAll()
  const none = (what: string, text: string): Promise<void> =>
    eventuallyNone({ what, withinMs: settleWithinMs }, () => fleet.inStore(text))
  await none(
    'every grant that was opened is closed',
    `select id, state, close_failures, close_error, due_at from tidegate.access_grant
     where state not in ('scheduled', 'ready', 'ended')`,
  )
  await none('every target is in order', 'select * from tidegate.target_state where failures > 0 or tended_at is null')
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
    ...(await lost(fleet, ledger, entries)),
    ...countedTwice(entries),
    ...badlyEnded(grants, entries),
    ...(await overdue(fleet)),
    ...(await leftOpen(fleet)),
    ...(await logProblems(fleet, ledger)),
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

async function lost(fleet: Fleet, { lives, places }: Ledger, entries: readonly Row[]): Promise<string[]> {
  const rows = await fleet.inStore(
    `select r.id, r.reason, r.status, r.grant_id as grant, g.activated_at, g.state, g.end_reason,
       array(select approver from tidegate.approval a where a.request = r.id) as approvers
     from tidegate.access_request r left join tidegate.access_grant g on g.request = r.id`,
  )
  const byId = new Map(rows.map((row) => [row['id'], row]))
  const told = new Set(entries.map(({ type, request, grant }) => `${String(type)} ${String(grant ?? request)}`))
  const problems: string[] = []
  for (const { request, approved, opened, end, reason } of lives) {
    if (!request) continue
    const row = byId.get(request.id)
    const gone = (what: string): void => void problems.push(`${request.id}: ${what} is lost`)
    if (row?.['reason'] !== reason) gone('the request')
    if (request.grant !== undefined && row?.['grant'] !== request.grant) gone(`the grant ${request.grant}`)
    if (approved && !(row?.['approvers'] as string[] | undefined)?.includes(approved.by))
      gone(`the approval of ${approved.by}`)
    if (approved?.request.grant !== undefined && row?.['grant'] !== approved.request.grant) gone('the grant approved')
    const grant = String(row?.['grant'])
    if (opened && !told.has(`grant.opened ${grant}`)) gone(`the entry of opening ${grant}`)
    if (opened && row?.['activated_at'] === null) gone(`the opening of ${grant}`)
    if (end && row?.['state'] !== 'ended') gone(`the end of ${grant} as ${end.reason}`)
    if (end && end.reason !== 'expired' && row?.['end_reason'] !== end.reason) gone(`the ${end.reason} of ${grant}`)
  }
  const indices = new Map(entries.map(({ id, index }) => [id, Number(index)]))
  for (const [id, index] of places)
    if (indices.get(id) !== index) problems.push(`entry ${id} is not at ${index} any more`)
  return problems
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
  for (const { type, request, grant } of entries) {
    const about = String(type).startsWith('grant.') ? grant : request
    if (!oneTime.has(String(type))) continue
    const what = `${String(type)} of ${String(about)}`
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  return [...counts].filter(([, count]) => count > 1).map(([what, count]) => `${what} stands in the log ${count} times`)
}

function badlyEnded(grants: readonly Row[], entries: readonly Row[]): string[] {
  const of = (type: string): Map<unknown, Row> =>
    new Map(entries.filter((entry) => entry['type'] === type).map((entry) => [entry['grant'], entry]))
  const [created, opened, ended] = [of('grant.created'), of('grant.opened'), of('grant.ended')]
  return grants.flatMap(({ id, state }) => {
    const end = ended.get(id)?.['body'] as { verifiedGone?: boolean } | undefined
    if (!created.has(id)) return [`${String(id)} has no entry of its beginning`]
    if ((state === 'ended') !== ended.has(id))
      return [`${String(id)} is ${String(state)}, and its entries say otherwise`]
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

async function leftOpen(fleet: Fleet): Promise<string[]> {
  const problems = await Promise.all(fleet.targets.map((target) => leftOn(fleet, target)))
  return problems.flat()
}

async function leftOn({ onTarget, inStore }: Fleet, target: CrashTarget): Promise<string[]> {
  const logins = await onTarget(target, 'select rolname from pg_roles where starts_with(rolname, $1)', [
    `${target.prefix}grt_`,
  ])
  const sessions = await onTarget(target, 'select usename from pg_stat_activity where starts_with(usename, $1)', [
    `${target.prefix}grt_`,
  ])
  const live = await inStore(`select id from tidegate.access_grant where state in ('provisioning', 'active', 'ending')`)
  const allowed = new Set(live.map(({ id }) => `${target.prefix}${String(id)}`))
  return [...logins.map(({ rolname }) => rolname), ...sessions.map(({ usename }) => usename)]
    .filter((login) => !allowed.has(String(login)))
    .map((login) => `${String(login)} is still on ${target.resource}, and no live grant gives it`)
}

/** The log as anyone reads it, and against it every checkpoint that was ever shown. */
async function logProblems(fleet: Fleet, { checkpoints }: Ledger): Promise<string[]> {
  const vkey = parseVerifierKey(fleet.verifierKey)
  const [member] = fleet.members
  if (!vkey || !member) return ['the log has no key']
  const source = httpSource(`${member.url}/log/`, { fetch })
  const verdict = await verifyLog({ source, vkey: fleet.verifierKey })
  if (!verdict.ok) return [`the log does not verify: ${verdict.detail}`]
  const problems: string[] = []
  let edge = emptyEdge
  const entries: LogEntry[] = []
  for await (const { entry } of readEntries({ source, tree: verdict, from: 0, to: verdict.size })) entries.push(entry)
  for (const [size, note] of [...checkpoints].toSorted(([a], [b]) => a - b)) {
    const opened = openCheckpoint(note, vkey)
    if (!opened.ok || size > entries.length) {
      problems.push(`the log has ${entries.length} entries, and was shown to have ${size}`)
      continue
    }
    const growth = growTree(
      edge,
      entries.slice(edge.size, size).map((entry) => leafHash(encodeEntry(entry))),
    )
    edge = growth.edge
    if (!Buffer.from(growth.root).equals(Buffer.from(opened.checkpoint.root)))
      problems.push(`the checkpoint of size ${size} is of another log`)
  }
  return problems
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

type Facts = { readonly ledger: Ledger; readonly entries: readonly Row[]; readonly grants: readonly Row[] }

async function figuresOf({ inStore }: Fleet, { ledger, entries, grants }: Facts): Promise<Verdict['figures']> {
  const { lives, checkpoints, tally, slowest } = ledger
  const findings = await inStore(
    `select kind, count(*)::int as count, count(*) filter (where closed_at is null)::int as open
     from tidegate.finding group by kind order by kind`,
  )
  const late = latenesses(ledger)
  const at = (share: number): number => late[Math.min(late.length - 1, Math.floor(share * late.length))] ?? 0
  return {
    requests: lives.filter(({ request }) => request).length,
    grants: grants.length,
    opened: lives.filter(({ opened }) => opened).length,
    sessions: lives.filter(({ session }) => session).length,
    ended: grants.filter(({ state }) => state === 'ended').length,
    entries: entries.length,
    checkpoints: checkpoints.size,
    answers: [...tally].map(([code, count]) => `${code} ${count}`).join(', '),
    'slowest answer, ms': Math.round(slowest.ms),
    'cut after its end, ms: median, 95%, most': `${at(0.5)}, ${at(0.95)}, ${late.at(-1) ?? 0}`,
    findings: findings
      .map(({ kind, count, open }) => `${String(kind)} ${String(count)} (${String(open)} open)`)
      .join(', '),
  }
}

/** By how much each session outlived its grant, in milliseconds, shortest first. One that is not cut outlives it for ever. */
export const latenesses = ({ lives }: Ledger): number[] =>
  lives
    .flatMap((life) => {
      const end = endOfSession(life)
      if (end === undefined) return []
      return [(life.session?.cutAt ?? Number.POSITIVE_INFINITY) - end]
    })
    .toSorted((a, b) => a - b)
