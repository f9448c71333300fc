/** Second factors: seen by their person and by who audits, taken away by who administers. Added on the page alone. */

import { z } from 'zod'
import type { Operation } from './operations.ts'
import * as s from './schemas.ts'

const used = { since: s.instant, lastUsedAt: s.instant.optional() }

export const factorOperations = {
  listFactors: {
    method: 'GET',
    path: '/v1/factors',
    auth: 'person',
    summary: 'What someone confirms with that it is them: the caller, or anyone for administrators and auditors',
    /** Absent: the caller. */
    input: z.strictObject({ user: s.idText.optional() }),
    output: z.object({
      user: z.string(),
      /** `synced`: more than one device may have it. */
      passkeys: z.array(z.object({ id: z.string(), name: z.string(), synced: z.boolean(), ...used })),
      /** Codes of an app. */
      totp: z.object(used).optional(),
      /** That are unused. */
      recoveryCodes: z.number(),
      /** An account of Tidegate itself, with a password or by passkey alone. */
      account: z.object({ since: s.instant, password: z.boolean() }).optional(),
    }),
    errors: ['forbidden'],
  },
  resetFactors: {
    method: 'POST',
    path: '/v1/factors/reset',
    auth: 'administrator',
    summary: 'Have someone’s second factors forgotten and their logins end, so that they begin anew',
    input: z.strictObject({ user: s.idText, reason: s.reasonText }),
    output: z.object({
      user: z.string(),
      passkeys: z.number(),
      totp: z.boolean(),
      recoveryCodes: z.number(),
      loginsEnded: z.number(),
      /** Where they had an account of Tidegate itself: the way back in, once. It is a secret, shown this once. */
      invitation: z.object({ url: z.string(), endsAt: s.instant }).optional(),
    }),
    errors: ['not-found', 'forbidden'],
  },
} as const satisfies Record<string, Operation>
