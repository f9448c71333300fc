/** Each use of break-glass is looked at by someone else, in time. Until then it stands in everyone's way. */

import { ApiError } from '@tidegate/api'
import type { Grant, GrantId, Instant } from '@tidegate/core'
import { after, formatInstant, instant } from '@tidegate/core'
import type { Selectable } from 'kysely'
import type { DeclaredBreakGlass } from '../configuration/schema.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import { closeFinding, openFinding } from '../findings/findings.ts'
import type { Caller } from '../identity/identity.ts'
import { newId } from '../runtime.ts'
import type { Unit } from '../store/change.ts'
import type { Reader, Tables, Tx } from '../store/database.ts'
import { boundInstant, instantParam } from '../store/database.ts'

export type ReviewRow = Selectable<Tables['breakGlassReview']>

type Used = {
  readonly grant: Grant
  readonly reason: string
  readonly breakGlass: DeclaredBreakGlass
  /** Ids of those that it is sent to. */
  readonly webhooks: readonly string[]
}

/** In the transaction of the grant: there is no use without its review. Tells everyone configured by a finding. */
export async function openReview(unit: Unit, { grant, reason, breakGlass, webhooks }: Used): Promise<ReviewRow> {
  const { review, notify } = breakGlass
  const dueAt = after(unit.now, review.within)
  const { id: person } = grant.principal
  const role = `${grant.resource}/${grant.role}`
  const row = await unit.tx
    .insertInto('breakGlassReview')
    .values({
      id: newId(unit.runtime, 'review'),
      grantId: grant.id,
      person,
      resource: grant.resource,
      role: grant.role,
      reason,
      usedAt: instantParam(unit.now),
      dueAt: instantParam(dueAt),
      closedAt: null,
      closedBy: null,
      comment: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  const principal = `user:${person}`
  const told = { reviewers: review.by, notified: notify, webhooks }
  const open = { review: row.id, role, dueAt: formatInstant(dueAt), ...told }
  const fields = { ...open, durationSeconds: grant.duration / 1_000, principal, reason }
  unit.record({ type: 'break-glass.used', at: unit.now, request: grant.request, grant: grant.id, fields })
  await openFinding(unit, {
    kind: 'break-glass-used',
    subject: `review:${row.id}`,
    severity: 'high',
    message: `${principal} broke glass for ${role}. Someone in ${review.by} reviews it by ${formatInstant(dueAt)}: tidegate reviews close ${row.id}.`,
  })
  return row
}

const openReviews = (reader: Reader) => reader.selectFrom('breakGlassReview').selectAll().where('closedAt', 'is', null)

/** The one of theirs that has waited past its time for longest. */
export const overdueReview = (reader: Reader, person: string, now: Instant): Promise<ReviewRow | undefined> =>
  openReviews(reader)
    .where('person', '=', person)
    .where('dueAt', '<=', boundInstant(now))
    .orderBy('dueAt')
    .limit(1)
    .executeTakeFirst()

/** Reviews, never their own. Resolved when they answer, as approvers are. */
export const isReviewer = ({ principal }: Caller, { declared: { breakGlass } }: Snapshot): boolean =>
  principal.kind === 'user' && breakGlass !== undefined && principal.groups.includes(breakGlass.review.by)

type Closing = { readonly caller: Caller; readonly id: string; readonly comment: string; readonly snapshot: Snapshot }

export async function closeReview(unit: Unit, { caller, id, comment, snapshot }: Closing): Promise<ReviewRow> {
  const row = await lockReview(unit.tx, id)
  const closedBy = caller.principal.id
  if (row?.person === closedBy) throw new ApiError('own-review')
  if (!row || !isReviewer(caller, snapshot)) throw new ApiError('not-found')
  if (row.closedAt !== null) throw new ApiError('review-closed', { detail: `user:${row.closedBy} closed it.` })
  const closed = await unit.tx
    .updateTable('breakGlassReview')
    // By a clock that is behind that of whoever let it be used, it is closed when it was used.
    .set({ closedAt: instantParam(instant(Math.max(unit.now, row.usedAt))), closedBy, comment })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
  const fields = { review: id, overdue: unit.now >= row.dueAt, by: `user:${closedBy}`, comment }
  unit.record({ type: 'break-glass.reviewed', at: unit.now, grant: row.grantId as GrantId, fields })
  for (const kind of ['break-glass-used', 'review-overdue'] as const)
    await closeFinding(unit, { kind, subject: `review:${id}` })
  return closed
}

const lockReview = (tx: Tx, id: string): Promise<ReviewRow | undefined> =>
  tx.selectFrom('breakGlassReview').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()

/** What nobody has looked at in time, told again for as long as it is so. */
export async function findOverdueReviews(unit: Unit): Promise<void> {
  const overdue = await openReviews(unit.tx).where('dueAt', '<=', boundInstant(unit.now)).orderBy('dueAt').execute()
  for (const { id, person, resource, role, dueAt } of overdue) {
    await openFinding(unit, {
      kind: 'review-overdue',
      subject: `review:${id}`,
      severity: 'high',
      message: `Nobody has reviewed that user:${person} broke glass for ${resource}/${role}; it was to be by ${formatInstant(dueAt)}. They cannot break glass again until someone does: tidegate reviews close ${id}.`,
    })
  }
}
