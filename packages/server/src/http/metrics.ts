/** What Prometheus scrapes. Counts and times, never who. */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ApiError } from '@tidegate/api'
import { timingSafeEqual } from 'node:crypto'
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import { sql } from 'kysely'
import { hashToken } from '../identity/tokens.ts'
import type { Runtime } from '../runtime.ts'
import type { Database } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'

type Deps = { readonly db: Database; readonly runtime: Runtime; readonly token: string | undefined }

export function registerMetrics(app: FastifyInstance, { db, runtime, token }: Deps): void {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'tidegate_' })
  const durations = new Histogram({
    name: 'tidegate_http_request_duration_seconds',
    help: 'Time to answer, by route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  })
  const failures = new Counter({
    name: 'tidegate_http_errors_total',
    help: 'Answers of 500 and above.',
    registers: [registry],
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    durations.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1_000)
    if (reply.statusCode >= 500) failures.inc()
  })
  const gauges = storeGauges(registry)
  app.get('/metrics', async (request, reply) => {
    if (!mayScrape(request, token)) throw new ApiError('unauthenticated')
    await readStore(db, runtime, gauges)
    return reply.type(registry.contentType).send(await registry.metrics())
  })
}

type Gauges = ReturnType<typeof storeGauges>

const storeGauges = (registry: Registry) => ({
  grants: new Gauge({
    name: 'tidegate_grants',
    help: 'Grants that have not ended, by state.',
    labelNames: ['state'],
    registers: [registry],
  }),
  pending: new Gauge({
    name: 'tidegate_requests_pending',
    help: 'Requests that wait for people.',
    registers: [registry],
  }),
  overdue: new Gauge({
    name: 'tidegate_close_lag_seconds',
    help: 'Age of the oldest end that is not read back as gone.',
    registers: [registry],
  }),
  findings: new Gauge({
    name: 'tidegate_findings_open',
    help: 'Open findings, by severity.',
    labelNames: ['severity'],
    registers: [registry],
  }),
  webhooks: new Gauge({
    name: 'tidegate_webhook_failures',
    help: 'Attempts of a webhook since the last message that was taken.',
    labelNames: ['webhook'],
    registers: [registry],
  }),
  unsequenced: new Gauge({
    name: 'tidegate_audit_entries_waiting',
    help: 'Entries that are not in the tree yet.',
    registers: [registry],
  }),
})

async function readStore(db: Database, runtime: Runtime, gauges: Gauges): Promise<void> {
  const { rows: states } = await sql<{ state: string; count: number }>`
    select state, count(*) from access_grant where due_at is not null group by state`.execute(db)
  gauges.grants.reset()
  for (const { state, count } of states) gauges.grants.set({ state }, count)
  const { rows: severities } = await sql<{ severity: string; count: number }>`
    select severity, count(*) from finding where closed_at is null group by severity`.execute(db)
  gauges.findings.reset()
  for (const { severity, count } of severities) gauges.findings.set({ severity }, count)
  gauges.webhooks.reset()
  for (const { id, failures } of await db.selectFrom('webhook').select(['id', 'failures']).execute())
    gauges.webhooks.set({ webhook: id }, failures)
  const now = boundInstant(runtime.now())
  const { rows } = await sql<{ pending: number; lag: string | null; waiting: number }>`
    select (select count(*) from access_request where status = 'pending') as pending,
           (select extract(epoch from ${now} - min(end_at)) from access_grant where state = 'ending') as lag,
           (select count(*) from audit_entry where leaf_index is null) as waiting`.execute(db)
  gauges.pending.set(rows[0]?.pending ?? 0)
  gauges.overdue.set(Number(rows[0]?.lag ?? 0))
  gauges.unsequenced.set(rows[0]?.waiting ?? 0)
}

/** With a token, whoever has it; without one, only this machine. */
function mayScrape(request: FastifyRequest, token: string | undefined): boolean {
  if (token === undefined) return ['127.0.0.1', '::1', '::ffff:127.0.0.1'].includes(request.socket.remoteAddress ?? '')
  const presented = request.headers.authorization?.replace(/^Bearer /, '') ?? ''
  return timingSafeEqual(hashToken(presented), hashToken(token))
}
