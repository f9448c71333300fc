/**
 * Statements that a person has to approve, each once: what gateways ask, and what people answer. What was answered is
 * told with `syncGateway`, and what became of it with `reportSessions`.
 */

import { statementOutcomes } from '@tidegate/core'
import { z } from 'zod'
import { gatewayLimits as limits } from './gateway-limits.ts'
import type { Operation } from './operations.ts'
import * as s from './schemas.ts'

export const statementId = s.idOf('statement')

export const statementOutcome = z.enum(statementOutcomes)

/** What was answered. Told until the gateway has reported what became of the statement. */
export const statementAnswer = z.object({
  statement: z.string(),
  session: z.string(),
  answer: z.enum(['yes', 'no']),
  /** A clause for whoever waits: `user:bob said no`. */
  why: z.string().optional(),
})

/** As it was bound: text, bytes of the binary format in base64, or SQL's null. */
const parameter = z.union([z.null(), z.strictObject({ text: z.string() }), z.strictObject({ bytes: z.base64() })])

const fits = (value: unknown): boolean => Buffer.byteLength(JSON.stringify(value)) <= limits.statementBytes
const tooLong = {
  error: `At most ${limits.statementBytes} bytes of JSON: what cannot be shown whole is not asked about.`,
}

/** A group, or `owner`: whoever owns the resource. */
const approver = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, { error: 'Write the name of a group, or owner.' })

export const statement = z
  .object({
    id: z.string(),
    session: z.string(),
    /** In its session, as the recording counts. */
    number: z.number(),
    grant: z.string(),
    principal: z.string(),
    role: z.string(),
    database: z.string(),
    gateway: z.string(),
    rule: z.string(),
    /** What needs approval, in the words of the guard. */
    about: z.string(),
    /** Groups, and `owner`: whoever answers is in one of each list. */
    approvers: z.array(z.array(z.string())),
    status: s.statementStatus,
    askedAt: s.instant,
    pendingUntil: s.instant,
    settledAt: s.instant.optional(),
    /** Only while it is pending, for its holder and for whoever may answer. */
    text: z.string().optional(),
    parameters: z.array(parameter).optional(),
    /** As in the log: of `{ text, parameters }`. */
    commitment: z.string(),
    /** With what the recording has, it opens the commitment. Unpadded base64url. */
    salt: z.string(),
    answer: z
      .object({ approver: z.string(), as: z.array(z.string()), comment: z.string().optional(), at: s.instant })
      .optional(),
    /** Of one that is abandoned. */
    because: z.string().optional(),
  })
  .meta({ id: 'Statement' })

const answered = z.strictObject({ id: s.idText, comment: s.commentText.optional() })
const answerErrors = ['not-found', 'own-request', 'not-an-approver', 'statement-settled'] as const

export const statementOperations = {
  askStatement: {
    method: 'POST',
    path: '/v1/gateway/statements',
    auth: 'gateway',
    summary: 'Ask people about one statement of a session, which waits. The same id again is the same question',
    input: z.strictObject({
      id: statementId,
      session: s.sessionId,
      number: z
        .number()
        .int()
        .min(1)
        .max(2 ** 31 - 1),
      rule: s.chosenText(100),
      about: s.chosenText(1_000),
      approvers: z.array(z.array(approver).min(1).max(limits.approvers)).min(1).max(limits.approvers),
      withinSeconds: z.number().int().min(1).max(limits.statementSeconds),
      text: z.string().refine(fits, tooLong),
      parameters: z.array(parameter).refine(fits, tooLong),
    }),
    output: z.object({ pendingUntil: s.instant }),
    errors: ['not-found', 'grant-ended', 'statement-limit'],
  },
  listStatements: {
    method: 'GET',
    path: '/v1/statements',
    auth: 'principal',
    summary:
      'Statements that a person has to approve, without what they say: the caller’s own, those it can answer, or all for auditors',
    input: z.strictObject({
      status: s.statementStatus.optional(),
      session: s.idText.optional(),
      principal: s.principalText.optional(),
      awaiting: z.literal('me').optional(),
      ...s.paging,
    }),
    output: s.page(statement),
    errors: [],
  },
  getStatement: {
    method: 'GET',
    path: '/v1/statements/{id}',
    auth: 'principal',
    summary: 'One statement; what it says, while it is pending, for its holder and for whoever may answer',
    input: z.strictObject({ id: s.idText }),
    output: statement,
    errors: ['not-found'],
  },
  approveStatement: {
    method: 'POST',
    path: '/v1/statements/{id}/approve',
    auth: 'person',
    summary: 'Say yes to one statement: it is run once, as it was shown, if its client still waits',
    input: answered,
    output: statement,
    errors: answerErrors,
  },
  denyStatement: {
    method: 'POST',
    path: '/v1/statements/{id}/deny',
    auth: 'person',
    summary: 'Say no to one statement: it is refused, and its session goes on',
    input: answered,
    output: statement,
    errors: answerErrors,
  },
} as const satisfies Record<string, Operation>
