/** What can be done with grants: a part of the table of operations. */

import { z } from 'zod'
import type { Operation } from './operations.ts'
import * as s from './schemas.ts'

const byId = { id: s.idText }

export const grantOperations = {
  listGrants: {
    method: 'GET',
    path: '/v1/grants',
    auth: 'principal',
    summary: 'Grants: the caller’s own, or all for administrators and auditors',
    input: z.strictObject({
      state: s.grant.shape.state.optional(),
      /** `true`: only grants that have not ended. */
      open: z.enum(['true', 'false']).optional(),
      principal: s.principalText.optional(),
      role: s.roleText.optional(),
      resource: s.idText.optional(),
      ...s.paging,
    }),
    output: s.page(s.grant),
    errors: [],
  },
  getGrant: {
    method: 'GET',
    path: '/v1/grants/{id}',
    auth: 'principal',
    summary: 'One grant',
    input: z.strictObject(byId),
    output: s.grant,
    errors: ['not-found'],
  },
  activateGrant: {
    method: 'POST',
    path: '/v1/grants/{id}/activate',
    auth: 'principal',
    summary: 'Open one’s own grant and get its credential; on an active grant, a new credential with the same end',
    input: z.strictObject(byId),
    output: z.object({ grant: s.grant, credential: s.credential }),
    errors: [
      'not-found',
      'grant-ended',
      'grant-not-started',
      'grant-lapsed',
      'grant-busy',
      'policy-refuses',
      'step-up-needed',
      'target-unavailable',
      'no-gateway',
    ],
  },
  assumeGrant: {
    method: 'POST',
    path: '/v1/grants/{id}/assume',
    auth: 'person',
    summary:
      'Begin to use one’s own grant of a role of Tidegate itself: nothing is handed out, the grant is what counts',
    input: z.strictObject(byId),
    output: s.grant,
    errors: ['not-found', 'grant-ended', 'grant-not-started', 'grant-lapsed', 'grant-busy', 'policy-refuses'],
  },
  extendGrant: {
    method: 'POST',
    path: '/v1/grants/{id}/extend',
    auth: 'principal',
    summary: 'Ask for one’s own open grant to end later: the same question anew, and the session goes on',
    input: z.strictObject({
      ...byId,
      /** From when it is permitted, and not from the grant's end. */
      duration: s.duration,
      reason: s.reasonText,
      // Absent: those of the request that the grant rests on.
      ticket: s.ticketText.optional(),
      task: s.taskText.optional(),
    }),
    output: z.object({
      request: s.accessRequest,
      grant: s.grant,
      /**
       * Once it is extended: whether its target knows. Otherwise it is told as soon as it can be, and new logins there
       * end when they did before.
       */
      targetKnows: z.boolean().optional(),
    }),
    status: 201,
    idempotent: true,
    counted: true,
    errors: [
      'too-many',
      'not-found',
      'grant-not-started',
      'grant-ended',
      'grant-busy',
      'unknown-role',
      'policy-refuses',
      'step-up-needed',
      'idempotency-mismatch',
    ],
  },
  endGrant: {
    method: 'POST',
    path: '/v1/grants/{id}/done',
    auth: 'principal',
    summary: 'Say that one is done: the grant ends now, live sessions included',
    input: z.strictObject({
      ...byId,
      because: z.enum(['done', 'task-ended']).default('done'),
      note: s.commentText.optional(),
    }),
    output: s.grant,
    errors: ['not-found'],
  },
  revokeGrant: {
    method: 'POST',
    path: '/v1/grants/{id}/revoke',
    auth: 'person',
    summary: 'End someone’s grant now (administrators and owners of the resource)',
    input: z.strictObject({ ...byId, reason: s.reasonText }),
    output: s.grant,
    errors: ['not-found', 'forbidden'],
  },
} as const satisfies Record<string, Operation>
