/** Logins of people: seen and ended by themselves, and by who administers. */

import { z } from 'zod'
import type { Operation } from './operations.ts'
import * as s from './schemas.ts'

const login = z
  .object({
    id: z.string(),
    kind: z.enum(['browser', 'command-line']),
    principal: z.string(),
    provider: z.string(),
    authentication: s.authentication,
    startedAt: s.instant,
    lastUsedAt: s.instant,
    /** When it is over at the latest; sooner if it is not used. */
    endsAt: s.instant,
    endedAt: s.instant.optional(),
    endReason: z.string().optional(),
    address: z.string(),
    /** What the client says it is. */
    agent: z.string().optional(),
    /** The one that this call came through. */
    current: z.boolean(),
  })
  .meta({ id: 'Login' })

export const loginOperations = {
  listLogins: {
    method: 'GET',
    path: '/v1/logins',
    auth: 'person',
    summary: 'Logins: the caller’s own, or all for administrators and auditors',
    input: z.strictObject({
      principal: s.principalText.optional(),
      /** `true`: only logins that are believed now. */
      open: z.enum(['true', 'false']).optional(),
      ...s.paging,
    }),
    output: s.page(login),
    errors: [],
  },
  endLogin: {
    method: 'POST',
    path: '/v1/logins/{id}/end',
    auth: 'person',
    summary: 'End a login of one’s own, or anyone’s for administrators: nobody is believed by it any more',
    input: z.strictObject({ id: s.idText }),
    output: login,
    errors: ['not-found', 'forbidden'],
  },
  inviteUser: {
    method: 'POST',
    path: '/v1/invitations',
    auth: 'administrator',
    summary: 'A one-time link by which a user makes an account of Tidegate itself, or makes it anew',
    input: z.strictObject({ user: s.idText }),
    /** The link is a secret, shown this once: it goes to that user and nobody else. */
    output: z.object({ user: z.string(), url: z.string(), endsAt: s.instant }),
    status: 201,
    errors: ['not-found', 'no-local-accounts'],
  },
} as const satisfies Record<string, Operation>
