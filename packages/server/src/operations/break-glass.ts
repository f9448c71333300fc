import type { Output } from '@tidegate/api'
import { formatInstant, parseDuration } from '@tidegate/core'
import type { Instant, Millis } from '@tidegate/core'
import { isOneOf } from '../break-glass/registered.ts'
import type { ReviewRow } from '../break-glass/reviews.ts'
import { closeReview, isReviewer } from '../break-glass/reviews.ts'
import { breakGlass } from '../break-glass/use.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Caller } from '../identity/identity.ts'
import type { Call, HandlersOf } from './handler.ts'
import { pageOf } from './pages.ts'
import { credentialView, grantView, requestView } from './views.ts'

export const breakGlassHandlers: HandlersOf<'breakGlass' | 'listReviews' | 'closeReview'> = {
  breakGlass: {
    kind: 'plain',
    async run({ services, caller, input: { role, duration, reason } }) {
      const wish = { role, duration: parseDuration(duration) as Millis, reason }
      const { filed, review, opened } = await breakGlass(services, { caller, ...wish })
      const { grant, credential } = opened
      return {
        request: requestView({ ...filed, approvals: [] }),
        grant: grantView(grant),
        review: reviewView(review, services.runtime.now()),
        ...(credential && { credential: credentialView(credential) }),
      }
    },
  },
  listReviews: { kind: 'plain', run: listReviews },
  closeReview: {
    kind: 'change',
    async run({ services, caller, input: { id, comment } }, unit) {
      const snapshot = await services.configurations.current(unit.tx)
      return reviewView(await closeReview(unit, { caller, id, comment, snapshot }), unit.now)
    },
  },
}

async function listReviews({ services, caller, input }: Call<'listReviews'>): Promise<Output<'listReviews'>> {
  const { db, runtime, configurations } = services
  const { open, limit, cursor } = input
  let query = db.selectFrom('breakGlassReview').selectAll()
  if (!seesAll(caller, await configurations.current(db))) query = query.where('person', '=', caller.principal.id)
  if (open === 'true') query = query.where('closedAt', 'is', null)
  if (open === 'false') query = query.where('closedAt', 'is not', null)
  if (cursor !== undefined) query = query.where('id', '<', cursor)
  const rows = await query
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute()
  const now = runtime.now()
  return pageOf(rows, limit, (row) => reviewView(row, now))
}

const seesAll = (caller: Caller, snapshot: Snapshot): boolean =>
  caller.auditor ||
  isReviewer(caller, snapshot) ||
  isOneOf(caller.principal, snapshot.declared.breakGlass?.notify.map((id) => `group:${id}`) ?? [])

const reviewView = (row: ReviewRow, now: Instant): Output<'closeReview'> => ({
  id: row.id,
  grant: row.grantId,
  principal: `user:${row.person}`,
  role: `${row.resource}/${row.role}`,
  reason: row.reason,
  usedAt: formatInstant(row.usedAt),
  dueAt: formatInstant(row.dueAt),
  overdue: row.closedAt === null && now >= row.dueAt,
  ...(row.closedAt !== null && { closedAt: formatInstant(row.closedAt) }),
  ...(row.closedBy !== null && { closedBy: `user:${row.closedBy}` }),
  ...(row.comment !== null && { comment: row.comment }),
})
