/** Who is told of entries of the log by messages, and whether these arrive. */

import { z } from 'zod'
import type { Operation } from './operations.ts'
import * as s from './schemas.ts'

const webhook = z
  .object({
    id: z.string(),
    /** Without path and query, which may be secrets. */
    origin: z.string(),
    entries: z.array(z.string()),
    /** Absent: about any. */
    resources: z.array(z.string()).optional(),
    /** `off`: its receiver said that it is none any more. `failing`: the last attempt failed. */
    state: z.enum(['working', 'failing', 'off']),
    /** Messages that it has not taken yet. */
    waiting: z.number(),
    /** There are more of them than that. */
    more: z.boolean(),
    /** When the oldest of them happened. */
    oldest: s.instant.optional(),
    /** Since the last success. */
    failures: z.number(),
    succeededAt: s.instant.optional(),
    failedAt: s.instant.optional(),
    /** Of the last failure. */
    error: z.string().optional(),
    /** Nothing is tried before. */
    nextAttemptAt: s.instant.optional(),
  })
  .meta({ id: 'Webhook' })

export const webhookOperations = {
  listWebhooks: {
    method: 'GET',
    path: '/v1/webhooks',
    auth: 'auditor',
    summary: 'Webhooks, how far behind each is, and what stands in its way',
    input: z.strictObject({}),
    output: z.object({ items: z.array(webhook) }),
    errors: [],
  },
  testWebhook: {
    method: 'POST',
    path: '/v1/webhooks/{id}/test',
    auth: 'administrator',
    summary: 'Send one message that tells of nothing, now, and say what came of it',
    input: z.strictObject({ id: s.idText }),
    output: z.object({
      webhook: z.string(),
      /** As its receiver got it. */
      message: z.string(),
      outcome: z.enum(['accepted', 'gone', 'failed', 'unready']),
      error: z.string().optional(),
    }),
    errors: ['not-found'],
  },
} as const satisfies Record<string, Operation>
