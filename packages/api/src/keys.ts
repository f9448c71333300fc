/** Keys of the installation itself. What they are is never answered: an id says nothing about its key. */

import { z } from 'zod'
import type { Operation } from './operations.ts'
import * as s from './schemas.ts'

const masterKey = z.object({
  id: z.string(),
  /** The store's: what is sealed from now on is sealed with it. All others only open. */
  seals: z.boolean(),
  /** Since it was first the store's. Absent: it has not been yet. */
  since: s.instant.optional(),
  /** Since another took its place. */
  until: s.instant.optional(),
  /** Since nothing in the store was sealed with it: it can be taken away. */
  unusedSince: s.instant.optional(),
  /** What is sealed with it now. */
  sealed: z.array(z.object({ what: z.string(), count: z.number() })),
  /** Servers that run now and have it. */
  servers: z.number(),
})

const logKey = z.object({
  verifierKey: z.string(),
  since: s.instant,
  /** The last tree that it signed, in which the next key is named. Absent: it may sign. */
  lastSize: z.number().optional(),
})

export const keyOperations = {
  listKeys: {
    method: 'GET',
    path: '/v1/keys',
    auth: 'auditor',
    summary: 'The master keys by their ids, what is sealed with each, and which can be taken away',
    input: z.strictObject({}),
    output: z.object({
      /** Servers that run now. */
      servers: z.number(),
      master: z.array(masterKey),
      /** Of the audit log, the earliest first. */
      log: z.array(logKey),
    }),
    errors: [],
  },
  changeLogKey: {
    method: 'POST',
    path: '/v1/keys/log',
    auth: 'administrator',
    summary: 'Have the audit log signed with a new key, which the present one vouches for',
    input: z.strictObject({ reason: s.reasonText }),
    output: z.object({ from: z.string(), to: z.string() }),
    errors: ['key-change-under-way'],
  },
} as const satisfies Record<string, Operation>
