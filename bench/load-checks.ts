/** What has to be true afterwards: nothing lost, nothing left, and the log whole. Read past the server, where it can be. */

import { httpSource, verifyLog } from '@tidegate/audit'
import type pg from 'pg'
import type { Row } from './harness.ts'
import { figureOf, rowOf, timed } from './harness.ts'
import type { Stand } from './stand.ts'

export type How = 'done' | 'expired' | 'revoked'

/** By grant: what the server has said yes to. */
export type Acknowledged = {
  readonly request: string
  readonly expiresAt: number
  /** Absent: it is held. */
  readonly ended?: How
}

const none = { atMost: 0 } as const

export async function checkRows(
  stand: Stand,
  acknowledged: ReadonlyMap<string, Acknowledged>,
): Promise<readonly Row[]> {
  const { client } = stand.store
  return [
    ...(await readBackRows(client)),
    ...(await lostRows(client, acknowledged)),
    ...(await targetRows(stand)),
    ...(await logRows(stand)),
  ]
}

/** From the end of a grant, as the store has it, to when the target was read back and nothing was left. */
async function readBackRows(client: pg.Client): Promise<readonly Row[]> {
  const { rows } = await client.query<{ reason: string; late: number }>(`
    select end_reason as reason, extract(epoch from ended_at - end_at)::float8 * 1000 as late
    from access_grant where state = 'ended'`)
  const reasons = [...new Set(rows.map(({ reason }) => reason))].toSorted()
  const of = (wanted: string): number[] => rows.flatMap(({ reason, late }) => (reason === wanted ? [late] : []))
  const noticed = await client.query<{ late: number }>(`
    select extract(epoch from end_at - expires_at)::float8 * 1000 as late
    from access_grant where end_reason = 'expired' and state = 'ended'`)
  return [
    ...reasons.map((reason) => rowOf(`${reason}: from its end to read back`, of(reason))),
    rowOf(
      'expired: from expiry to its being recorded',
      noticed.rows.map(({ late }) => late),
    ),
  ]
}

async function lostRows(client: pg.Client, acknowledged: ReadonlyMap<string, Acknowledged>): Promise<readonly Row[]> {
  const { rows } = await client.query<{ id: string; request: string; state: string; reason: string | null }>(`
    select g.id, r.id as request, g.state, g.end_reason as reason
    from access_grant g join access_request r on r.id = g.request`)
  const stored = new Map(rows.map((row) => [row.id, row]))
  const all = [...acknowledged]
  const lost = all.filter(([grant, { request }]) => stored.get(grant)?.request !== request)
  const wrong = all.filter(([grant, { ended }]) => {
    const row = stored.get(grant)
    return (
      row !== undefined &&
      (ended === undefined ? row.state !== 'active' : row.reason !== ended || row.state !== 'ended')
    )
  })
  // What was acknowledged was opened; what ran out while it was being opened was not.
  const entries = await client.query<{ count: number }>(
    `select count(*)::int as count from access_grant g
     where (select count(distinct type) from audit_entry e where e.grant_id = g.id
              and type in ('grant.created', 'grant.opening', 'grant.opened')) < case when g.id = any($1) then 3 else 1 end
       or (state = 'ended') <> exists (select from audit_entry e where e.grant_id = g.id and e.type = 'grant.ended')`,
    [all.map(([grant]) => grant)],
  )
  return [
    figureOf('grants acknowledged', all.length, 'count'),
    figureOf('acknowledged and not in the store', lost.length, 'count', none),
    figureOf('acknowledged and in another state than it was told', wrong.length, 'count', none),
    figureOf('grants without an entry that they should have', entries.rows[0]?.count ?? Number.NaN, 'count', none),
  ]
}

async function targetRows({ store, targetAdmin }: Stand): Promise<readonly Row[]> {
  const prefix = 'tidegate_'
  const logins = await targetAdmin.query<{ name: string }>(
    `select rolname as name from pg_roles where rolname like 'tidegate\\_grt\\_%'`,
  )
  const live = await store.client.query<{ id: string }>(`select id from access_grant where state = 'active'`)
  const findings = await store.client.query(`select from finding`)
  const names = new Set(logins.rows.map(({ name }) => name.slice(prefix.length)))
  const grants = new Set(live.rows.map(({ id }) => id))
  const beyond = [...names].filter((name) => !grants.has(name)).length
  const missing = [...grants].filter((id) => !names.has(id)).length
  return [
    figureOf('logins on the target without a live grant', beyond, 'count', none),
    figureOf('live grants without a login', missing, 'count', none),
    figureOf('findings', findings.rowCount ?? Number.NaN, 'count', none),
  ]
}

async function logRows({ server, store }: Stand): Promise<readonly Row[]> {
  const vkey = (await (await fetch(`${server.url}/log/key`)).text()).trim()
  const source = httpSource(`${server.url}/log`, { fetch })
  const { result: verdict, ms } = await timed(() => verifyLog({ source, vkey }))
  const { rows } = await store.client.query<{ entries: number; waiting: number }>(`
    select count(*)::int as entries, count(*) filter (where leaf_index is null)::int as waiting from audit_entry`)
  const missing = verdict.ok ? (rows[0]?.entries ?? Number.NaN) - verdict.size : Number.NaN
  return [
    figureOf('entries in the log', verdict.ok ? verdict.size : 0, 'count'),
    figureOf('the log does not verify', verdict.ok ? 0 : 1, 'count', none),
    figureOf('entries written and not in the log', missing, 'count', none),
    figureOf('entries waiting for their place', rows[0]?.waiting ?? Number.NaN, 'count', none),
    figureOf('verifying the whole log', ms, 'ms'),
  ]
}
