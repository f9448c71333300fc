import { ApiError } from '@tidegate/api'
import {
  formatInstant,
  isId,
  parseDuration,
  parseInstant,
  parsePrincipalKey,
  principalKey,
  signalKinds,
} from '@tidegate/core'
import type { Instant, Millis, SignalKind } from '@tidegate/core'
import { after } from '@tidegate/core'
import { sql } from 'kysely'
import { closeWithReview } from '../findings/findings.ts'
import type { Caller } from '../identity/identity.ts'
import { actingFor } from '../identity/principals.ts'
import { reassessGrants } from '../lifecycle/reassess.ts'
import { verifierKeyOf } from '../log/log-keys.ts'
import { findEntry, makeReceipt, withDisclosures } from '../log/receipts.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import { change } from '../store/change.ts'
import { findGrant } from '../store/grants.ts'
import { findRequest } from '../store/requests.ts'
import { isSelf, ownsResource } from './access-rules.ts'
import type { Call, HandlersOf } from './handler.ts'
import { pageOf } from './pages.ts'
import { entryView, findingView } from './views.ts'

export const watchingHandlers: HandlersOf<
  'whoHadAccess' | 'listFindings' | 'closeFinding' | 'putSignal' | 'listEntries' | 'getReceipt'
> = {
  whoHadAccess: { kind: 'plain', run: whoHadAccess },
  listFindings: {
    kind: 'plain',
    async run({ services, input: { open, kind, limit, cursor } }) {
      let query = services.db.selectFrom('finding').selectAll()
      if (open === 'true') query = query.where('closedAt', 'is', null)
      if (open === 'false') query = query.where('closedAt', 'is not', null)
      if (kind !== undefined) query = query.where('kind', '=', kind)
      if (cursor !== undefined) query = query.where('id', '<', cursor)
      return pageOf(
        await query
          .orderBy('id', 'desc')
          .limit(limit + 1)
          .execute(),
        limit,
        findingView,
      )
    },
  },
  closeFinding: {
    kind: 'change',
    async run({ caller, input: { id, note } }, unit) {
      const row = await unit.tx
        .updateTable('finding')
        .set({ closedAt: instantParam(unit.now) })
        .where('id', '=', id)
        .where('closedAt', 'is', null)
        .returningAll()
        .executeTakeFirst()
      if (!row) throw new ApiError('not-found', { detail: 'No open finding has that id.' })
      const { kind, subject } = row
      checkMayClose(caller, row)
      const fields = { finding: id, kind, subject, by: principalKey(caller.principal), note }
      unit.record({ type: 'finding.closed', at: unit.now, fields })
      return findingView(row)
    },
  },
  putSignal: { kind: 'plain', run: putSignal },
  listEntries: {
    kind: 'plain',
    async run({ services, input: { type, request, grant, limit, cursor } }) {
      let query = services.db.selectFrom('auditEntry').select(['id', 'serial', 'body', 'leafIndex'])
      if (type !== undefined) query = query.where('type', '=', type)
      if (request !== undefined) query = query.where('request', '=', request)
      if (grant !== undefined) query = query.where('grantId', '=', grant)
      if (cursor !== undefined)
        query = query.where('serial', '<', (eb) =>
          eb.selectFrom('auditEntry').select('serial').where('id', '=', cursor),
        )
      const rows = await query
        .orderBy('serial', 'desc')
        .limit(limit + 1)
        .execute()
      const entries = await withDisclosures(services.db, rows)
      return pageOf(
        entries.map((entry) => ({ id: entry.entry.id, entry })),
        limit,
        ({ entry }) => entryView(entry),
      )
    },
  },
  getReceipt: { kind: 'plain', run: getReceipt },
}

async function whoHadAccess({ services, caller, input }: Call<'whoHadAccess'>) {
  const snapshot = await services.configurations.current(services.db)
  const entry = snapshot.resources.get(input.resource)
  if (!caller.auditor && !ownsResource(caller, entry)) {
    throw new ApiError(entry ? 'forbidden' : 'not-found', {
      detail: 'Administrators, auditors and owners of the resource ask this.',
    })
  }
  const at = input.at === undefined ? services.runtime.now() : (parseInstant(input.at) as Instant)
  // Until a grant is read back as gone, its holder may have had access: it counts as held.
  let query = services.db
    .selectFrom('accessGrant')
    .innerJoin('accessRequest', 'accessRequest.id', 'accessGrant.request')
    .select([
      'accessGrant.id',
      'accessGrant.request',
      'accessGrant.principal',
      'accessGrant.resource',
      'accessGrant.role',
    ])
    .select(['accessGrant.openedAt', 'accessGrant.endedAt', 'accessGrant.endReason', 'accessRequest.reason'])
    .where('accessGrant.resource', '=', input.resource)
    .where('accessGrant.openedAt', '<=', boundInstant(at))
    .where((eb) => eb.or([eb('accessGrant.endedAt', 'is', null), eb('accessGrant.endedAt', '>', boundInstant(at))]))
  if (input.cursor !== undefined) query = query.where('accessGrant.id', '<', input.cursor)
  const rows = await query
    .orderBy('accessGrant.id', 'desc')
    .limit(input.limit + 1)
    .execute()
  if (rows.length === 0 && !entry && !(await everExisted(services, input.resource))) throw new ApiError('not-found')
  const approvers = await approversOf(services, rows)
  const page = pageOf(rows, input.limit, (row) => ({
    grant: row.id,
    request: row.request,
    principal: row.principal,
    role: `${row.resource}/${row.role}`,
    reason: row.reason,
    from: formatInstant(row.openedAt as Instant),
    approvers: [...(approvers.get(row.id) ?? [])],
    ...(row.endedAt !== null && { to: formatInstant(row.endedAt) }),
    ...(row.endReason !== null && { endReason: row.endReason }),
  }))
  return { ...page, at: formatInstant(at) }
}

async function everExisted({ db }: Call<'whoHadAccess'>['services'], resource: string): Promise<boolean> {
  return (
    (await db.selectFrom('accessGrant').select('id').where('resource', '=', resource).limit(1).executeTakeFirst()) !==
    undefined
  )
}

type Held = { readonly id: string; readonly request: string }

/** By grant, of the request it came from and of those that extended it. */
async function approversOf(
  { db }: Call<'whoHadAccess'>['services'],
  grants: readonly Held[],
): Promise<Map<string, Set<string>>> {
  const approvers = new Map(grants.map(({ id }) => [id, new Set<string>()]))
  if (grants.length === 0) return approvers
  const [ids, requests] = [grants.map(({ id }) => id), grants.map(({ request }) => request)]
  const rows = await db
    .selectFrom('approval')
    .innerJoin('accessRequest', 'accessRequest.id', 'approval.request')
    .select(['accessRequest.grantId', 'approval.approver'])
    .where((eb) => eb.or([eb('accessRequest.id', 'in', requests), eb('accessRequest.extends', 'in', ids)]))
    .where('approval.verdict', '=', 'approve')
    .orderBy('approval.serial')
    .execute()
  for (const { grantId, approver } of rows) approvers.get(grantId ?? '')?.add(`user:${approver}`)
  return approvers
}

/** Stores the fact, then asks again about every open grant that rests on it. */
/** Nobody waves through what is about themselves, or what someone else is to review. */
function checkMayClose({ principal }: Caller, { kind, subject }: { kind: string; subject: string }): void {
  if (closeWithReview.has(kind)) {
    const review = subject.slice('review:'.length)
    throw new ApiError('forbidden', { detail: `It closes with its review: tidegate reviews close ${review}.` })
  }
  if (subject === principalKey(principal))
    throw new ApiError('forbidden', { detail: 'It is about yourself: someone else closes it.' })
}

async function putSignal({ services, caller, input }: Call<'putSignal'>) {
  const snapshot = await services.configurations.current(services.db)
  const kind: SignalKind = signalKinds[input.name]
  if (!snapshot.signalSources.get(caller.principal.id)?.has(input.name)) {
    throw new ApiError('forbidden', {
      detail: `Configuration does not name ${principalKey(caller.principal)} as a source of ${input.name}.`,
    })
  }
  checkSignal(kind, input)
  const source = principalKey(caller.principal)
  const staleAt = await change(services, async (unit) => {
    const observedAt = observedAtOf(input.observedAt, unit.now)
    const asked = input.validFor === undefined ? kind.maxAge : (parseDuration(input.validFor) as Millis)
    const until = after(observedAt, Math.min(asked, kind.maxAge) as Millis)
    const row = {
      value: JSON.stringify(input.value),
      source,
      observedAt: instantParam(observedAt),
      staleAt: instantParam(until),
    }
    // An older observation that arrives late does not overwrite a newer one.
    await unit.tx
      .insertInto('signal')
      .values({ name: input.name, subject: input.subject, ...row })
      .onConflict((conflict) =>
        conflict
          .columns(['subject', 'name'])
          .doUpdateSet(row)
          .where(sql<boolean>`excluded.observed_at >= signal.observed_at`),
      )
      .execute()
    const { name, subject, value } = input
    unit.record({
      type: 'signal.received',
      at: unit.now,
      fields: { name, source, staleAt: formatInstant(until), subject, value },
    })
    return until
  })
  const filter =
    kind.subject === 'ticket'
      ? { ticket: input.subject.slice('ticket:'.length) }
      : // A person's fact is also a fact for the agents that act for them.
        { principals: actingFor(snapshot, input.subject) }
  const { asked, ended } = await reassessGrants(services, { filter, because: 'fact-changed' })
  return { staleAt: formatInstant(staleAt), grantsAskedAgain: asked, grantsEnded: ended.length }
}

function checkSignal(kind: SignalKind, { subject, value }: { subject: string; value: Record<string, unknown> }): void {
  const problems = []
  const fits = kind.subject === 'ticket' ? /^ticket:.+$/.test(subject) : parsePrincipalKey(subject) !== undefined
  if (!fits) {
    const form = kind.subject === 'ticket' ? 'ticket:ID' : 'user:ID, service:ID or agent:ID'
    problems.push({ field: 'subject', message: `Write ${form}.` })
  }
  for (const [name, type] of Object.entries(kind.fields)) {
    const is = typeof value[name] === 'number' ? 'long' : typeof value[name]
    if (is !== type) problems.push({ field: `value.${name}`, message: `Must be a ${type}.` })
  }
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(kind.fields, name))
      problems.push({ field: `value.${name}`, message: 'This signal has no such field.' })
  }
  if (problems.length > 0) throw new ApiError('invalid-input', { problems })
}

function observedAtOf(text: string | undefined, now: Instant): Instant {
  const at = text === undefined ? now : (parseInstant(text) as Instant)
  if (at <= now) return at
  throw new ApiError('invalid-input', {
    problems: [{ field: 'observedAt', message: 'Nothing is observed in the future.' }],
  })
}

async function getReceipt({ services, caller, input }: Call<'getReceipt'>) {
  const { db } = services
  const row = await findEntry(db, input.id)
  if (!row || !(await mayHaveReceipt({ services, caller, input }))) throw new ApiError('not-found')
  if (row.leafIndex === null) await services.log.integrate()
  const placed = await findEntry(db, row.id)
  const [stored] = placed ? await withDisclosures(db, [placed]) : []
  // Before the receipt: whoever knows an earlier key than the one that signs is led there by the receipt itself.
  const verifierKey = await verifierKeyOf(db)
  const receipt = stored && (await makeReceipt(db, stored))
  if (!receipt) throw new ApiError('unavailable', { detail: 'The entry is not in the log yet. Try again in a moment.' })
  return { ...receipt, verifierKey }
}

/** Auditors have any; a principal those of its own requests and grants. */
async function mayHaveReceipt({ services, caller, input }: Call<'getReceipt'>): Promise<boolean> {
  if (caller.auditor) return true
  const about = isId('grant', input.id)
    ? await findGrant(services.db, input.id)
    : isId('request', input.id)
      ? await findRequest(services.db, input.id)
      : undefined
  return about !== undefined && isSelf(caller.principal, about.principal)
}
