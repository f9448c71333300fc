/** Agents: seen, given tokens by whom they act for, killed and restored. */

import { z } from 'zod'
import type { Operation } from './operations.ts'
import * as s from './schemas.ts'

const agent = z
  .object({
    id: z.string(),
    /** Those it acts for, the next one first: it is permitted only what all of them are. */
    actsFor: z.array(z.string()),
    /** How many logins of it are believed now. */
    logins: z.number(),
    /** Absent: it was not. */
    killed: z.object({ at: s.instant, by: z.string(), reason: z.string() }).optional(),
  })
  .meta({ id: 'Agent' })

export const agentOperations = {
  listAgents: {
    method: 'GET',
    path: '/v1/agents',
    auth: 'principal',
    summary: 'Agents: those that act for the caller, or all for administrators and auditors',
    input: z.strictObject({ ...s.paging }),
    output: s.page(agent),
    errors: [],
  },
  createAgentToken: {
    method: 'POST',
    path: '/v1/agents/{id}/token',
    auth: 'principal',
    summary:
      'Make a short token for an agent that acts for the caller; it ends with the login that it was made through',
    input: z.strictObject({
      id: s.idText,
      lasts: s.duration.default('PT15M'),
      /** RFC 7638, of a key that the agent holds: nobody else uses the token. Absent: whoever has it. */
      keyThumbprint: z
        .string()
        .regex(/^[A-Za-z0-9_-]{43}$/)
        .optional(),
    }),
    // Its answer holds a secret, so it is not kept under a key.
    output: z.object({ token: z.string(), expiresAt: s.instant, principal: z.string(), actsFor: z.array(z.string()) }),
    status: 201,
    errors: ['not-found'],
  },
  killAgent: {
    method: 'POST',
    path: '/v1/agents/{id}/kill',
    auth: 'person',
    summary:
      'End an agent’s logins and grants now, and those of agents that act for it, and let it get no more (its people and administrators)',
    input: z.strictObject({ id: s.idText, reason: s.reasonText }),
    output: z.object({ agent, loginsEnded: z.number(), grantsEnded: z.number() }),
    errors: ['not-found', 'forbidden'],
  },
  restoreAgent: {
    method: 'POST',
    path: '/v1/agents/{id}/restore',
    auth: 'person',
    summary: 'Let an agent that was killed be known again (administrators, and whoever of its people killed it)',
    input: z.strictObject({ id: s.idText }),
    output: agent,
    errors: ['not-found', 'forbidden'],
  },
} as const satisfies Record<string, Operation>
