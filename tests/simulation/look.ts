/** What the store holds at this moment, read past every process: committed state, and nothing else. */

import { decodeEntry } from '@tidegate/audit'
import type { Store } from './store.ts'

export type GrantRow = {
  readonly id: string
  readonly request: string
  readonly principal: string
  readonly resource: string
  readonly role: string
  readonly state: string
  readonly duration_ms: number
  readonly start_at: number | null
  readonly activate_by: number
  readonly activated_at: number | null
  readonly expires_at: number | null
  readonly extension: string | null
  readonly extended_at: number | null
  readonly attempt: number
  readonly unsure_attempts: number
  readonly end_reason: string | null
  readonly end_at: number | null
  readonly ended_at: number | null
  readonly configuration: number | null
  readonly due_at: number | null
}

export type RequestRow = {
  readonly id: string
  readonly principal: string
  readonly resource: string
  readonly role: string
  readonly duration_ms: number
  readonly reason: string
  readonly ticket: string | null
  readonly status: string
  readonly decision: string
  readonly pending_until: number
  readonly settled_at: number | null
  readonly extends: string | null
  readonly grant_id: string | null
  readonly action: 'break-glass' | null
}

export type ApprovalRow = {
  readonly id: string
  readonly request: string
  readonly approver: string
  readonly verdict: string
  readonly as_specs: readonly string[]
}

export type FindingRow = {
  readonly id: string
  readonly kind: string
  readonly subject: string
  readonly closed_at: number | null
}

export type ReviewRow = {
  readonly id: string
  readonly grant_id: string
  readonly person: string
  readonly resource: string
  readonly role: string
  readonly used_at: number
  readonly due_at: number
  readonly closed_at: number | null
  readonly closed_by: string | null
}

export type Entry = Readonly<Record<string, unknown>> & {
  readonly id: string
  readonly type: string
  readonly at: string
}

export type DecisionRow = { readonly id: string; readonly outcome: string; readonly policy_version: string }

export type ChangeRow = {
  readonly id: string
  readonly status: string
  readonly author: string
  readonly settled_by: string | null
  readonly version: number | null
}

export type SignalRow = {
  readonly name: string
  readonly subject: string
  readonly value: Readonly<Record<string, unknown>>
  readonly observed_at: number
  readonly stale_at: number
}

export type Sight = {
  readonly grants: ReadonlyMap<string, GrantRow>
  readonly requests: ReadonlyMap<string, RequestRow>
  readonly approvals: readonly ApprovalRow[]
  readonly findings: readonly FindingRow[]
  readonly reviews: readonly ReviewRow[]
  readonly decisions: ReadonlyMap<string, DecisionRow>
  /** In the order in which they were written. */
  readonly entries: readonly Entry[]
  readonly configurations: readonly { readonly version: number; readonly hash: string }[]
  readonly changes: readonly ChangeRow[]
  readonly signals: readonly SignalRow[]
  readonly tending: readonly { readonly resource: string; readonly due_at: number }[]
  readonly checkpoints: readonly { readonly size: number; readonly note: string }[]
  readonly unplaced: number
}

/** @param quiet nothing is under way: whatever was given a number is committed, or never will be */
export type Look = (quiet: boolean) => Promise<Sight>

const text = `
  select id, request, principal, resource, role, state, duration_ms, start_at, activate_by, activated_at, expires_at, extension,
         extended_at, attempt, unsure_attempts, end_reason, end_at, ended_at, configuration, due_at from access_grant order by id;
  select id, principal, resource, role, duration_ms, reason, ticket, status, decision, pending_until, settled_at, extends,
         grant_id, action from access_request order by id;
  select id, request, approver, verdict, as_specs from approval order by serial;
  select id, kind, subject, closed_at from finding order by id;
  select id, outcome, policy_version from decision order by id;
  select version, hash from configuration_version order by version;
  select id, status, author, settled_by, version from configuration_change order by id;
  select name, subject, value, observed_at, stale_at from signal order by name, subject;
  select resource, due_at from target_state order by resource;
  select size, note from audit_checkpoint order by size;
  select id, grant_id, person, resource, role, used_at, due_at, closed_at, closed_by from break_glass_review order by id;
  select count(*)::int as waiting from audit_entry where leaf_index is null;
  select serial, body from audit_entry where serial > $FLOOR order by serial;
`

export function createLook(store: Store): Look {
  let floor = 0
  let seen = new Map<number, Entry>()
  return async (quiet) => {
    const results = (await store.admin.query(text.replace('$FLOOR', String(floor)))) as unknown as { rows: never[] }[]
    const rows = results.map((result) => result.rows)
    const [grants, requests, approvals, findings, decisions, ...more] = rows as unknown as Tables
    const [configurations, changes, signals, tending, checkpoints, reviews, counts, bodies] = more
    const added = bodies.filter(({ serial }) => !seen.has(serial))
    if (added.length > 0) {
      for (const { serial, body } of added) seen.set(serial, entryOf(serial, body))
      seen = new Map([...seen].toSorted(([a], [b]) => a - b))
    }
    if (quiet) floor = [...seen.keys()].at(-1) ?? 0
    return {
      grants: new Map(grants.map((row) => [row.id, row])),
      requests: new Map(requests.map((row) => [row.id, row])),
      decisions: new Map(decisions.map((row) => [row.id, row])),
      entries: [...seen.values()],
      unplaced: counts[0]?.waiting ?? 0,
      approvals,
      findings,
      reviews,
      configurations,
      changes,
      signals,
      tending,
      checkpoints,
    }
  }
}

type Tables = [
  GrantRow[],
  RequestRow[],
  ApprovalRow[],
  FindingRow[],
  DecisionRow[],
  Sight['configurations'],
  ChangeRow[],
  SignalRow[],
  Sight['tending'],
  Sight['checkpoints'],
  ReviewRow[],
  { waiting: number }[],
  { serial: number; body: Buffer }[],
]

function entryOf(serial: number, body: Buffer): Entry {
  const decoded = decodeEntry(body)
  if (!decoded.ok) throw new Error(`Entry ${serial} cannot be read: ${decoded.detail}`)
  return decoded.entry
}
