/** Access at once and alone in an emergency, and the reviews of it. */

import { z } from 'zod'
import type { Operation } from './operations.ts'
import * as s from './schemas.ts'

const review = z
  .object({
    id: z.string(),
    grant: z.string(),
    principal: z.string(),
    role: z.string(),
    reason: z.string(),
    usedAt: s.instant,
    /** Open past this it is a finding, and its person breaks no glass. */
    dueAt: s.instant,
    overdue: z.boolean(),
    closedAt: s.instant.optional(),
    closedBy: z.string().optional(),
    comment: z.string().optional(),
  })
  .meta({ id: 'Review' })

export const breakGlassOperations = {
  breakGlass: {
    method: 'POST',
    path: '/v1/break-glass',
    auth: 'person',
    summary:
      'Open a role at once and alone: for people and roles that configuration registers and policy lists, told to everyone, reviewed afterwards',
    input: z.strictObject({ role: s.roleText, duration: s.duration, reason: s.reasonText }),
    // Without a credential: a role of Tidegate itself, or the holder activates the grant later.
    output: z.object({
      request: s.accessRequest,
      grant: s.grant,
      credential: s.credential.optional(),
      review,
    }),
    counted: true,
    errors: [
      'unknown-role',
      'step-up-needed',
      'too-many',
      'break-glass-refused',
      'grant-ended',
      'grant-busy',
      'target-unavailable',
      'no-gateway',
    ],
  },
  listReviews: {
    method: 'GET',
    path: '/v1/reviews',
    auth: 'person',
    summary:
      'Uses of break-glass and their reviews: one’s own; all for reviewers, for those who are told, administrators and auditors',
    input: z.strictObject({ open: z.enum(['true', 'false']).optional(), ...s.paging }),
    output: s.page(review),
    errors: [],
  },
  closeReview: {
    method: 'POST',
    path: '/v1/reviews/{id}/close',
    auth: 'person',
    summary: 'Say that a use of break-glass has been looked at (reviewers, never of their own)',
    input: z.strictObject({ id: s.idText, comment: s.commentText }),
    output: review,
    errors: ['not-found', 'own-review', 'review-closed'],
  },
} as const satisfies Record<string, Operation>
