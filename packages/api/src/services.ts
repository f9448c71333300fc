/** Services: their secrets, and the end of a workload's run. */

import { z } from 'zod'
import type { Operation } from './operations.ts'
import * as s from './schemas.ts'

const secret = z
  .object({
    id: z.string(),
    service: z.string(),
    madeAt: s.instant,
    madeBy: z.string(),
    expiresAt: s.instant,
    /** Absent: never. */
    lastUsedAt: s.instant.optional(),
    revokedAt: s.instant.optional(),
  })
  .meta({ id: 'ServiceSecret' })

export const serviceOperations = {
  createServiceSecret: {
    method: 'POST',
    path: '/v1/services/{service}/secrets',
    auth: 'person',
    summary: 'Make a secret for a service, shown once (administrators and its owner, where configuration allows it)',
    input: z.strictObject({ service: s.idText, lasts: s.duration }),
    // Its answer holds a secret, so it is not kept under a key.
    output: z.object({ secret: z.string(), about: secret }),
    status: 201,
    errors: ['not-found', 'forbidden', 'secret-limit'],
  },
  listServiceSecrets: {
    method: 'GET',
    path: '/v1/services/{service}/secrets',
    auth: 'person',
    summary: 'Secrets of a service, and when they were last used (administrators, auditors and its owner)',
    input: z.strictObject({ service: s.idText, ...s.paging }),
    output: s.page(secret),
    errors: ['not-found'],
  },
  revokeServiceSecret: {
    method: 'POST',
    path: '/v1/services/secrets/{id}/revoke',
    auth: 'person',
    summary: 'Revoke a secret of a service, and end the logins it was used for (administrators and its owner)',
    input: z.strictObject({ id: s.idText }),
    output: secret,
    errors: ['not-found', 'forbidden'],
  },
  endRun: {
    method: 'POST',
    path: '/v1/me/run/end',
    auth: 'principal',
    summary: 'Say that the run that the caller is bound to is over: its logins and grants end now',
    input: z.strictObject({}),
    output: z.object({ run: z.string(), loginsEnded: z.number(), grantsEnded: z.number() }),
    errors: ['not-found'],
  },
} as const satisfies Record<string, Operation>
