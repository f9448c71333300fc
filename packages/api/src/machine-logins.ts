/** Logins of services and agents, and which sign-in at a provider is whose. */

import { z } from 'zod'
import type { Operation } from './operations.ts'
import * as s from './schemas.ts'

const machineLogin = z
  .object({
    id: z.string(),
    principal: z.string(),
    /** What it rests on: a token of a platform, a secret, a key, or whom the agent acts for. */
    by: z.enum(['federation', 'secret', 'key', 'delegation']),
    /** As the platform calls the workload. */
    subject: z.string().optional(),
    /** What is given to it is this run’s alone. */
    run: z.string().optional(),
    /** Nobody uses it but who holds its key. */
    bound: z.boolean(),
    /** Absent: it was made within a call of whom it acts for. */
    address: z.string().optional(),
    startedAt: s.instant,
    endsAt: s.instant,
    endedAt: s.instant.optional(),
    endReason: z.string().optional(),
    /** The one that this call came through. */
    current: z.boolean(),
  })
  .meta({ id: 'MachineLogin' })

const loginLink = z
  .object({
    provider: z.string(),
    /** What the provider calls them for ever. */
    subject: z.string(),
    principal: z.string(),
    linkedBy: z.string(),
    linkedAt: s.instant,
  })
  .meta({ id: 'LoginLink' })

export const machineLoginOperations = {
  listMachineLogins: {
    method: 'GET',
    path: '/v1/machine-logins',
    auth: 'principal',
    summary:
      'Logins of services and agents: the caller’s own, of its agents and of services it owns, or all for administrators and auditors',
    input: z.strictObject({
      principal: s.principalText.optional(),
      /** `true`: only logins that are believed now. */
      open: z.enum(['true', 'false']).optional(),
      ...s.paging,
    }),
    output: s.page(machineLogin),
    errors: [],
  },
  endMachineLogin: {
    method: 'POST',
    path: '/v1/machine-logins/{id}/end',
    auth: 'principal',
    summary: 'End a login of a service or an agent that one answers for, or any for administrators',
    input: z.strictObject({ id: s.idText }),
    output: machineLogin,
    errors: ['not-found', 'forbidden'],
  },
  listLoginLinks: {
    method: 'GET',
    path: '/v1/login-links',
    auth: 'person',
    summary: 'By which sign-ins at providers someone is known: the caller, or anyone for administrators and auditors',
    /** Absent: the caller. */
    input: z.strictObject({ user: s.idText.optional() }),
    output: z.object({ items: z.array(loginLink) }),
    errors: ['forbidden'],
  },
  removeLoginLink: {
    method: 'POST',
    path: '/v1/login-links/remove',
    auth: 'administrator',
    summary: 'Take a sign-in at a provider for nobody any more: its logins end, and what was opened through them',
    input: z.strictObject({ provider: s.idText, subject: s.subjectText }),
    output: loginLink,
    errors: ['not-found'],
  },
} as const satisfies Record<string, Operation>
