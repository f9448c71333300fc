/** From entries to the row that they should have left. Written anew, so that it does not repeat a mistake of the server's. */

import type { ApprovalRow, Entry, FindingRow, GrantRow, RequestRow } from './look.ts'

type State = Record<string, unknown>

const at = (entry: Entry, field = 'at'): number => Date.parse(String(entry[field]))

/** From which states an entry may come, and what it makes of the grant. */
const grantRules: Readonly<
  Record<string, { readonly from: readonly string[]; readonly make: (state: State, entry: Entry) => State }>
> = {
  'grant.created': {
    from: ['nothing'],
    make: (_, entry) => ({ ...blank, state: entry['startAt'] === undefined ? 'ready' : 'scheduled' }),
  },
  'grant.ready': { from: ['scheduled'], make: (state) => ({ ...state, state: 'ready' }) },
  'grant.opening': {
    from: ['ready', 'provisioning'],
    make: (state, entry) => ({
      ...state,
      state: 'provisioning',
      attempt: Number(state['attempt']) + 1,
      unsure: Number(state['unsure']) + 1,
      activatedAt: at(entry),
      expiresAt: at(entry, 'expiresAt'),
    }),
  },
  'grant.opened': { from: ['provisioning'], make: (state) => ({ ...state, state: 'active' }) },
  'grant.reissued': { from: ['active'], make: (state) => ({ ...state, attempt: Number(state['attempt']) + 1 }) },
  'grant.open-failed': {
    from: ['provisioning'],
    make: (state, entry) => (entry['leftNothing'] === true ? { ...state, unsure: Number(state['unsure']) - 1 } : state),
  },
  'grant.waiting': {
    from: ['provisioning'],
    make: (state) => ({ ...state, state: 'ready', activatedAt: null, expiresAt: null }),
  },
  'grant.shortened': {
    from: ['provisioning', 'active'],
    make: (state, entry) => ({ ...state, expiresAt: at(entry, 'expiresAt') }),
  },
  'grant.extended': {
    from: ['active'],
    make: (state, entry) => ({
      ...state,
      expiresAt: at(entry, 'expiresAt'),
      extension: entry['request'],
      extendedAt: at(entry),
    }),
  },
  'grant.ending': {
    from: ['provisioning', 'active'],
    make: (state, entry) => ({ ...state, state: 'ending', endReason: entry['reason'], endAt: at(entry) }),
  },
  'grant.ended': {
    from: ['scheduled', 'ready', 'provisioning', 'ending'],
    make: (state, entry) => ({
      ...state,
      state: 'ended',
      endReason: entry['reason'],
      endAt: at(entry, 'endingAt'),
      endedAt: at(entry),
    }),
  },
}

const blank = {
  attempt: 0,
  unsure: 0,
  activatedAt: null,
  expiresAt: null,
  extension: null,
  extendedAt: null,
  endReason: null,
  endAt: null,
  endedAt: null,
}

export function foldGrant(row: GrantRow, entries: readonly Entry[]): string[] {
  let state: State = { state: 'nothing' }
  for (const entry of entries) {
    const rule = entry['grant'] === row.id ? grantRules[entry.type] : undefined
    if (!rule) continue
    if (!rule.from.includes(String(state['state'])))
      return [`${row.id}: the entry ${entry.type} follows on ${String(state['state'])}`]
    state = rule.make(state, entry)
  }
  const present: State = {
    state: row.state,
    attempt: row.attempt,
    unsure: row.unsure_attempts,
    activatedAt: row.activated_at,
    expiresAt: row.expires_at,
    extension: row.extension,
    extendedAt: row.extended_at,
    endReason: row.end_reason,
    endAt: row.end_at,
    endedAt: row.ended_at,
  }
  return Object.keys(present)
    .filter((field) => present[field] !== state[field])
    .map((field) => `${row.id}: ${field} is ${String(present[field])}, by its entries ${String(state[field])}`)
}

const requestRules: Readonly<Record<string, { readonly from: readonly string[]; readonly to: string }>> = {
  'request.filed': { from: ['nothing'], to: 'pending' },
  'request.answered': { from: ['pending'], to: 'pending' },
  'request.approved': { from: ['pending'], to: 'approved' },
  'request.denied': { from: ['pending'], to: 'denied' },
  'request.cancelled': { from: ['pending'], to: 'cancelled' },
  'request.expired': { from: ['pending'], to: 'expired' },
  'request.failed': { from: ['approved'], to: 'failed' },
}

export function foldRequest(row: RequestRow, entries: readonly Entry[], approvals: readonly ApprovalRow[]): string[] {
  let status = 'nothing'
  let settledAt: number | null = null
  const answered = new Set<unknown>()
  for (const entry of entries) {
    const rule = entry['request'] === row.id ? requestRules[entry.type] : undefined
    if (!rule) continue
    if (!rule.from.includes(status)) return [`${row.id}: the entry ${entry.type} follows on ${status}`]
    if (rule.to !== 'pending' && rule.to !== 'failed') settledAt = at(entry)
    if (entry.type === 'request.answered') answered.add(entry['approval'])
    status = rule.to
  }
  const found: string[] = []
  if (status !== row.status) found.push(`${row.id} is ${row.status}, by its entries ${status}`)
  if (settledAt !== row.settled_at)
    found.push(`${row.id} was settled at ${row.settled_at}, by its entries at ${settledAt}`)
  const given = approvals.filter(({ request }) => request === row.id)
  for (const { id } of given) if (!answered.has(id)) found.push(`the answer ${id} to ${row.id} has no entry`)
  if (answered.size !== given.length)
    found.push(`${row.id} has ${given.length} answers, by its entries ${answered.size}`)
  return found
}

export function foldFindings(rows: readonly FindingRow[], entries: readonly Entry[]): string[] {
  const open = new Map<unknown, boolean>()
  for (const entry of entries) {
    if (entry.type === 'finding.opened') open.set(entry['finding'], true)
    if (entry.type === 'finding.closed') open.set(entry['finding'], false)
  }
  const found = rows
    .filter(({ id, closed_at }) => open.get(id) !== (closed_at === null))
    .map(({ id, kind }) => `the finding ${id} (${kind}) is not as its entries say`)
  if (open.size > rows.length) found.push(`entries tell of ${open.size} findings, and there are ${rows.length}`)
  return found
}
