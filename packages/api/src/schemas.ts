/** The shapes that go over the wire. Instants are RFC 3339, durations are whole seconds; names end in their unit. */

import { idPrefixes, parseDuration, parseInstant, parsePrincipalKey } from '@tidegate/core'
import {
  authenticationMethods,
  grantStates,
  endReasons,
  obligationKinds,
  requestStatuses,
  risks,
  signalKinds,
  statementStatuses,
} from '@tidegate/core'
import type { EndReason, ObligationKind, SignalName } from '@tidegate/core'
import { z } from 'zod'
import { limits } from './limits.ts'

const keysOf = <K extends string>(table: Record<K, unknown>): [K, ...K[]] => Object.keys(table) as [K, ...K[]]

export const instant = z
  .string()
  .refine((text) => parseInstant(text) !== undefined, {
    error: 'Write an RFC 3339 time with its offset, such as 2026-11-21T09:00:00Z.',
  })
  .meta({ format: 'date-time' })

/** What people may write: `PT30M`, `90s`, `30m`, `2h`. */
export const duration = z
  .string()
  .refine((text) => parseDuration(text) !== undefined, {
    error: 'Write a positive duration: 90s, 30m, 2h, or ISO 8601 such as PT30M.',
  })
  .meta({ examples: ['30m', 'PT2H'] })

/** No id has anything else, and stores choke on some of it. */
const visible = /^[\x21-\x7e]*$/

export const idText = z
  .string()
  .min(1)
  .max(limits.idLength)
  .regex(visible, { error: 'An id is visible ASCII characters, without blanks.' })
export const roleText = z
  .string()
  .max(2 * limits.idLength + 1)
  .regex(/^[!-.0-~]+\/[!-.0-~]+$/, { error: 'Write a role as RESOURCE/ROLE, such as orders-db/readonly.' })
  .meta({ examples: ['orders-db/readonly'] })

export const principalText = z
  .string()
  .max(limits.idLength + 'service:'.length)
  .refine((text) => visible.test(text) && parsePrincipalKey(text) !== undefined, {
    error: 'Write KIND:ID, such as user:alice or service:ci.',
  })

/** Control characters would let a text rewrite its reader's terminal; half a character cannot be stored. */
const freeText = (max: number) =>
  z
    .string()
    .trim()
    .min(1, { error: 'Say something; blank does not count.' })
    .max(max)
    .regex(/^(?:[\t\n]|[^\p{Cc}\p{Cs}])*$/u, { error: 'Leave out control characters.' })

/** As free text, on one line. */
const lineText = (max: number) => freeText(max).regex(/^[^\t\n]*$/, { error: 'Write it on one line, without tabs.' })

/**
 * What clients and targets chose, such as the name of an application: cut, and made fit for one line and for a store. A
 * report that was refused for it would let a client keep its session out of the log.
 */
export const chosenText = (max: number) =>
  z.string().overwrite((text) => text.slice(0, max).replaceAll(/[\p{Cc}\p{Cs}]/gu, '\ufffd'))

export const idOf = (kind: 'grant' | 'session' | 'statement') =>
  z.string().regex(new RegExp(`^${idPrefixes[kind]}_[0-9a-hjkmnp-tv-z]{26}$`), { error: `Write the id of a ${kind}.` })
export const sessionId = idOf('session')

/** What a provider calls someone: as it is, blanks included. */
export const subjectText = z
  .string()
  .min(1)
  .max(limits.subjectLength)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, { error: 'Leave out control characters.' })

export const reasonText = freeText(limits.reasonLength)
export const commentText = freeText(limits.commentLength)
export const ticketText = lineText(limits.ticketLength)
export const taskText = lineText(limits.taskLength)

/** An approver's answer. With a version, only for the request as it was then. */
export const answer = z.strictObject({
  id: idText,
  comment: commentText.optional(),
  version: z.number().int().min(1).optional(),
})

export const statementStatus = z.enum(statementStatuses)

export const signalUse = z.object({
  name: z.string(),
  source: z.string(),
  ageMillis: z.number(),
  fresh: z.boolean(),
})

const change = z.discriminatedUnion('fact', [
  z.object({ fact: z.literal('duration'), atMostSeconds: z.number() }),
  z.object({ fact: z.literal('ticket') }),
  z.object({
    fact: z.literal('signal'),
    name: z.string(),
    value: z.record(z.string(), z.union([z.boolean(), z.string(), z.number()])),
  }),
  z.object({ fact: z.literal('authentication'), need: z.enum(['mfa', 'phishing-resistant']) }),
])

export const remedy = z.object({ changes: z.array(change), outcome: z.enum(['permit', 'approve']), text: z.string() })

export const path = z.object({
  policies: z.array(z.string()),
  stages: z.array(z.object({ approvers: z.array(z.string()), count: z.number() })),
  maxDurationSeconds: z.number(),
})

const basis = {
  id: z.string(),
  policyVersion: z.string(),
  policies: z.array(z.string()),
  signals: z.array(signalUse),
  reasons: z.array(z.string()),
}

/** What sessions are held to beside what their role says. */
const obligations = z.array(
  z.object({
    kind: z.enum(keysOf<ObligationKind>(obligationKinds)),
    name: z.string(),
    policies: z.array(z.string()),
  }),
)

export const decision = z
  .discriminatedUnion('outcome', [
    z.object({ outcome: z.literal('permit'), ...basis, obligations, maxDurationSeconds: z.number() }),
    z.object({ outcome: z.literal('approve'), ...basis, obligations, paths: z.array(path) }),
    z.object({ outcome: z.literal('step-up'), ...basis, need: z.enum(['mfa', 'phishing-resistant']) }),
    z.object({
      outcome: z.literal('deny'),
      ...basis,
      cause: z.enum(['forbidden', 'no-policy', 'too-long', 'needs-gateway', 'policy-error']),
      remedies: z.array(remedy),
    }),
  ])
  .meta({ id: 'Decision' })

export const approval = z
  .object({
    id: z.string(),
    approver: z.string(),
    verdict: z.enum(['approve', 'deny']),
    as: z.array(z.string()),
    comment: z.string().optional(),
    at: instant,
  })
  .meta({ id: 'Approval' })

export const accessRequest = z
  .object({
    id: z.string(),
    principal: z.string(),
    role: z.string(),
    /** As what policy was asked. Absent: `access`. */
    action: z.literal('break-glass').optional(),
    durationSeconds: z.number(),
    reason: z.string(),
    ticket: z.string().optional(),
    task: z.string().optional(),
    startAt: instant.optional(),
    status: z.enum(requestStatuses),
    /** Grows with every change; an answer may name the one it is for. */
    version: z.number(),
    filedAt: instant,
    pendingUntil: instant,
    settledAt: instant.optional(),
    /** That this grant end later. Absent: a grant of its own. */
    extends: z.string().optional(),
    /** Once approved: the grant that came of it, or that it extended. */
    grant: z.string().optional(),
    decision,
    approvals: z.array(approval),
    /** While pending: who can answer now, as group ids, `manager`, `owner`. */
    waitingFor: z.array(z.string()),
  })
  .meta({ id: 'Request' })

export const grantEnd = z.object({
  reason: z.enum(keysOf<EndReason>(endReasons)),
  at: instant,
  by: z.string().optional(),
  note: z.string().optional(),
})

export const grant = z
  .object({
    id: z.string(),
    request: z.string(),
    principal: z.string(),
    role: z.string(),
    state: z.enum(grantStates),
    durationSeconds: z.number(),
    startAt: instant.optional(),
    activateBy: instant,
    activatedAt: instant.optional(),
    expiresAt: instant.optional(),
    /** The latest request that made it end later, and when: its duration counts from there. */
    extension: z.object({ request: z.string(), at: instant }).optional(),
    end: grantEnd.optional(),
    endedAt: instant.optional(),
    obligations,
    /** While ending: how often closing failed, and why the last time. */
    closing: z.object({ failures: z.number(), lastFailure: z.string().optional() }).optional(),
  })
  .meta({ id: 'Grant' })

export const credential = z
  .object({
    kind: z.literal('postgres-login'),
    host: z.string(),
    port: z.number(),
    databases: z.array(z.string()),
    user: z.string(),
    /** Shown here, once. Asking again makes a new one. */
    secret: z.string(),
    tls: z.enum(['verify-full', 'disable']),
    ca: z.string().optional(),
    expiresAt: instant,
  })
  .meta({ id: 'Credential' })

export const resource = z
  .object({
    id: z.string(),
    kind: z.string(),
    description: z.string().optional(),
    labels: z.record(z.string(), z.string()),
    owner: z.string().optional(),
    roles: z.array(z.object({ role: z.string(), risk: z.enum(risks), description: z.string().optional() })),
  })
  .meta({ id: 'Resource' })

export const standingPrivilege = z.object({
  holder: z.string(),
  kind: z.enum(['superuser', 'role-attribute', 'membership', 'ownership', 'direct-grant', 'password-never-expires']),
  what: z.string(),
  risk: z.enum(risks),
  canLogin: z.boolean(),
  lastSeenAt: instant.optional(),
})

export const finding = z
  .object({
    id: z.string(),
    kind: z.string(),
    subject: z.string(),
    severity: z.enum(['low', 'medium', 'high']),
    message: z.string(),
    openedAt: instant,
    lastSeenAt: instant,
    closedAt: instant.optional(),
  })
  .meta({ id: 'Finding' })

export const holding = z.object({
  grant: z.string(),
  request: z.string(),
  principal: z.string(),
  role: z.string(),
  reason: z.string(),
  from: instant,
  to: instant.optional(),
  endReason: z.string().optional(),
  approvers: z.array(z.string()),
})

export const signalName = z.enum(keysOf<SignalName>(signalKinds))
/** `user:alice`, `service:ci`, `ticket:OPS-17`. */
export const signalSubject = lineText(limits.ticketLength)
export const signalValue = z.record(
  z.string().max(limits.idLength),
  z.union([z.boolean(), lineText(200), z.number().int()]),
)

export const configFile = z.object({
  /** Relative to the directory that was applied; shown in messages. */
  path: lineText(500),
  text: z.string(),
})

export const planItem = z.object({
  action: z.enum(['create', 'change', 'remove']),
  kind: z.enum([
    'settings',
    'break-glass',
    'webhook',
    'provider',
    'scim',
    'issuer',
    'user',
    'service',
    'agent',
    'group',
    'guard',
    'mask',
    'recording',
    'resource',
    'role',
    'policy',
  ]),
  id: z.string(),
  /** One line a field: `labels.env: staging → production`. Never a secret. */
  details: z.array(z.string()),
  /** Waits for a second person where four eyes are on. */
  sensitive: z.boolean(),
})

export const plan = z
  .object({
    /** The version it was made on. */
    base: z.number(),
    items: z.array(planItem),
    /** What applying it would do to live access. */
    effects: z.array(z.string()),
    needsSecondPerson: z.boolean(),
  })
  .meta({ id: 'Plan' })

export const authentication = z
  .object({
    method: z.enum(keysOf(authenticationMethods)),
    mfa: z.boolean(),
    phishingResistant: z.boolean(),
    /** Absent: nobody said when. */
    at: instant.optional(),
    /** Which run of a workload it is bound to. */
    run: z.string().optional(),
  })
  .meta({ id: 'Authentication' })

export const configChange = z
  .object({
    id: z.string(),
    status: z.enum(['applied', 'pending', 'rejected', 'stale']),
    author: z.string(),
    at: instant,
    settledBy: z.string().optional(),
    settledAt: instant.optional(),
    /** The version it made, once applied. */
    version: z.number().optional(),
    plan,
  })
  .meta({ id: 'Change' })

export const auditEntry = z
  .object({
    id: z.string(),
    type: z.string(),
    at: instant,
    /** Its place in the log; absent while it is not integrated yet. */
    index: z.number().optional(),
    /** The entry as it is in the log: personal data as commitments. */
    entry: z.record(z.string(), z.unknown()),
    /** What the commitments stand for, by JSON pointer, as long as it has not been erased. */
    disclosed: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'AuditEntry' })

export const page = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    /** Pass as `cursor` for the next page; absent on the last. */ next: z.string().optional(),
  })

export const paging = {
  limit: z.coerce.number().int().min(1).max(limits.pageSizeMax).default(limits.pageSizeDefault),
  cursor: idText.optional(),
}
