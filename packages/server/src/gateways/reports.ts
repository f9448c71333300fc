/**
 * What gateways report of sessions, folded into what is known of them. The same report twice is told once: one that
 * says nothing new makes no entry. One that cannot be is refused by itself, and the others of its batch stand.
 */

import type { ParsedInput } from '@tidegate/api'
import type { GrantId, Instant } from '@tidegate/core'
import { earlier, formatInstant, instant, parseInstant, roleKey } from '@tidegate/core'
import type { EntryDraft } from '../log/append.ts'
import { entryLimits } from '../log/limits.ts'
import { gatewayServerLimits } from './limits.ts'

export type Report = ParsedInput<'reportSessions'>['reports'][number]
/** What became of one statement changes nothing of its session. */
type SessionReport = Exclude<Report, { what: 'statement' }>
type Opened = Extract<Report, { what: 'opened' }>
type Recorded = Extract<Report, { what: 'recorded' }>
type Refused = Extract<Report, { what: 'refused' }>
type Ended = Extract<Report, { what: 'ended' }>
type Forgotten = Extract<Report, { what: 'forgotten' }>
export type Head = Recorded['head']

/** A grant that sessions are of. */
export type Leased = {
  readonly id: GrantId
  readonly principal: string
  readonly resource: string
  readonly role: string
}

/** What a guard has refused so far by one rule. */
export type Refusals = Pick<Refused, 'first' | 'last' | 'count'>

export type KnownSession = {
  readonly id: string
  readonly gateway: string
  readonly grant: Leased
  readonly startedAt: Instant
  readonly database: string
  readonly client: Opened['client']
  readonly head?: Head
  /** By rule. */
  readonly refusals?: Readonly<Record<string, Refusals>>
  readonly end?: {
    readonly at: Instant
    readonly reason: string
    /** Nobody had told it: a report that does is believed. */
    readonly lost: boolean
    readonly told?: Pick<Ended, 'statements' | 'refused' | 'used'>
  }
  /** Its recording was asked to be deleted. */
  readonly deletion?: {
    readonly askedAt: Instant
    readonly by: string
    readonly reason: string
    readonly done?: { readonly at: Instant; readonly digest: string }
  }
}

export type Folded = { readonly session: KnownSession; readonly entry?: EntryDraft } | { readonly refused: string }

/** @property gateway who reports  @property grantOf of those that it serves */
type Situation = {
  readonly gateway: string
  readonly now: Instant
  readonly known: KnownSession | undefined
  readonly grantOf: (id: string) => Leased | undefined
}

export function foldReport(report: SessionReport, situation: Situation): Folded {
  const { known, gateway } = situation
  // Whether it is there at all is not told to a gateway that it is not of.
  if (known && known.gateway !== gateway) return notOfThis
  if (report.what === 'opened') return opened(report, situation)
  if (!known) return notOfThis
  const { now } = situation
  if (report.what === 'recorded') return recorded(report, known, now)
  if (report.what === 'refused') return refused(report, known, now)
  return report.what === 'ended' ? ended(report, known, now) : forgotten(report, known, now)
}

const notOfThis: Folded = { refused: 'This gateway has opened no such session.' }

function opened(report: Opened, { gateway, now, known, grantOf }: Situation): Folded {
  if (known) return known.grant.id === report.grant ? { session: known } : notOfThis
  const grant = grantOf(report.grant)
  if (!grant) return { refused: 'This gateway leads to no such grant.' }
  const { session: id, database, client } = report
  const startedAt = clamped(report, { from: instant(now - gatewayServerLimits.oldestReport), now })
  const fields = {
    session: id,
    gateway,
    role: roleOf(grant),
    database,
    tls: client.tls,
    principal: grant.principal,
    clientAddress: client.address,
    application: client.application,
  }
  const entry: EntryDraft = { type: 'session.opened', at: startedAt, grant: grant.id, fields }
  return { session: { id, gateway, grant, startedAt, database, client }, entry }
}

function recorded({ head, ...report }: Recorded, known: KnownSession, now: Instant): Folded {
  const order = known.head ? compareHeads(head, known.head) : 1
  if (order === 0 && head.chain !== known.head?.chain) return { refused: 'It differs from what was said of it before.' }
  if (order <= 0) return { session: known }
  if (known.end && !known.end.lost) return { refused: 'The session has ended, and its recording with it.' }
  const fields = { session: known.id, gateway: known.gateway, head }
  const at = clamped(report, { from: known.startedAt, now })
  return { session: { ...known, head }, entry: { type: 'session.recorded', at, grant: known.grant.id, fields } }
}

/** Each report of a rule counts from the first statement on, so a later one is all that there is to know. */
function refused({ rule, first, last, count, ...report }: Refused, known: KnownSession, now: Instant): Folded {
  const { refusals = {} } = known
  const before = Object.hasOwn(refusals, rule) ? refusals[rule] : undefined
  if (before && before.count >= count) return { session: known }
  if (known.end && !known.end.lost) return { refused: 'The session has ended, and what was refused in it is told.' }
  if (!before && Object.keys(refusals).length >= gatewayServerLimits.rules)
    return { refused: 'No guard has so many rules.' }
  const { id, gateway, grant } = known
  const fields = { session: id, gateway, rule, first, last, count }
  const at = clamped(report, { from: known.startedAt, now })
  return {
    session: { ...known, refusals: { ...refusals, [rule]: { first, last, count } } },
    entry: { type: 'session.refused', at, grant: grant.id, fields },
  }
}

/** By how far the recording had come. */
const compareHeads = (a: Head, b: Head): number => a.segment - b.segment || a.blocks - b.blocks || a.events - b.events

function ended(report: Ended, known: KnownSession, now: Instant): Folded {
  if (known.end && !known.end.lost) return { session: known }
  const { reason, statements, refused, head = known.head, used } = report
  const at = clamped(report, { from: known.startedAt, now })
  const told = { statements, refused, ...(used && { used }) }
  const { id, gateway, grant } = known
  const fields = {
    session: id,
    gateway,
    role: roleOf(grant),
    statements,
    refused,
    head,
    used: used && shortened(used),
    principal: grant.principal,
    reason,
  }
  return {
    session: { ...known, ...(head && { head }), end: { at, reason, lost: false, told } },
    entry: { type: 'session.ended', at, grant: grant.id, fields },
  }
}

function forgotten(report: Forgotten, known: KnownSession, now: Instant): Folded {
  const { id, gateway, grant, deletion, startedAt, end } = known
  if (!deletion) return { refused: 'Nobody has asked for its recording to be deleted.' }
  if (deletion.done) return { session: known }
  const { digest, head, verdict, files, bytes } = report
  const at = clamped(report, { from: deletion.askedAt, now })
  const fields = {
    session: id,
    gateway,
    digest,
    head,
    anchored: known.head,
    verdict,
    files,
    bytes,
    startedAt: formatInstant(startedAt),
    endedAt: end && formatInstant(end.at),
    principal: grant.principal,
    by: deletion.by,
    reason: deletion.reason,
  }
  return {
    session: { ...known, deletion: { ...deletion, done: { at, digest } } },
    entry: { type: 'recording.deleted', at, grant: grant.id, fields },
  }
}

const roleOf = ({ resource, role }: Leased): string => roleKey({ resource, name: role })

/** Neither later than it is told nor earlier than what it follows. */
function clamped({ at }: { readonly at: string }, { from, now }: { from: Instant; now: Instant }): Instant {
  const told = earlier(parseInstant(at) ?? now, now)
  return told < from ? earlier(from, now) : told
}

export type Used = NonNullable<Ended['used']>

/** As much as an entry has room for; `left` counts the tables that are not in it. */
function shortened({ tables, left }: Used): Used {
  const kept: [string, string[]][] = []
  let bytes = 0
  const all = Object.entries(tables)
  for (const [name, kinds] of all) {
    bytes += Buffer.byteLength(JSON.stringify([name, kinds]))
    if (bytes > entryLimits.usedBytes) break
    kept.push([name, kinds])
  }
  return { tables: Object.fromEntries(kept), left: left + all.length - kept.length }
}
