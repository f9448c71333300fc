/**
 * Every operation of the API, one entry each. Routes, validation, the typed client, OpenAPI, the reference page and
 * the authorisation tests are made from this table.
 *
 * `input` is one flat object: members named in `path` travel there, the rest in the query of a GET and in the JSON
 * body of anything else.
 */

import type { AdministrationRole } from '@tidegate/core'
import { z } from 'zod'
import { agentOperations } from './agents.ts'
import { breakGlassOperations } from './break-glass.ts'
import type { ErrorCode } from './errors.ts'
import { factorOperations } from './factors.ts'
import { gatewayOperations } from './gateway.ts'
import { grantOperations } from './grants.ts'
import { recordingOperations } from './recordings.ts'
import { keyOperations } from './keys.ts'
import { loginOperations } from './logins.ts'
import { machineLoginOperations } from './machine-logins.ts'
import * as s from './schemas.ts'
import { serviceOperations } from './services.ts'
import { statementOperations } from './statements.ts'
import { webhookOperations } from './webhooks.ts'

/**
 * Who may call. What one of these sees or may touch is narrowed further by the operation itself.
 * - `anyone`: no token
 * - `principal`: any user, service or agent
 * - `person`: a user
 * - `administrator`: a user who holds `tidegate/owner` now, or one of the standing owners
 * - `policy-author`: a user who holds `tidegate/policy-author` now, or an administrator
 * - `auditor`: a user who holds `tidegate/auditor` now, or an administrator
 * - `policy-reader`: a policy author or an auditor
 * - `signal-source`: a service that configuration names as a source of signals
 * - `gateway`: a gateway that has signed in, which may call nothing else
 */
export type Auth = 'anyone' | 'principal' | 'person' | AdministrationAuth | 'signal-source' | 'gateway'

/** For each word that asks for a role of Tidegate itself: which of them do. */
export const administrationAuth = {
  administrator: ['owner'],
  'policy-author': ['owner', 'policy-author'],
  auditor: ['owner', 'auditor'],
  'policy-reader': ['owner', 'policy-author', 'auditor'],
} as const satisfies Record<string, readonly AdministrationRole[]>

export type AdministrationAuth = keyof typeof administrationAuth

export const isAdministrationAuth = (auth: Auth): auth is AdministrationAuth => Object.hasOwn(administrationAuth, auth)

export type Operation = {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: `/v1/${string}`
  readonly auth: Auth
  readonly summary: string
  readonly input: z.ZodObject
  readonly output: z.ZodType
  /** 200 unless said. */
  readonly status?: 201
  /** Takes an `Idempotency-Key`: the same key and input give the same answer, done once. */
  readonly idempotent?: true
  /** Answers a request, or has it in its answer. What is asked and not given at once is counted, for each caller. */
  readonly counted?: true
  /** Beyond those that any operation may answer with. */
  readonly errors: readonly ErrorCode[]
}

const none = z.strictObject({})
const byId = { id: s.idText }

const answerErrors: readonly ErrorCode[] = [
  'not-found',
  'own-request',
  'not-an-approver',
  'already-answered',
  'request-settled',
  'request-changed',
]

export const operations = {
  whoami: {
    method: 'GET',
    path: '/v1/me',
    auth: 'principal',
    summary: 'Who the caller is, as Tidegate sees it',
    input: none,
    output: z.object({
      principal: z.string(),
      groups: z.array(z.string()),
      administrator: z.boolean(),
      policyAuthor: z.boolean(),
      auditor: z.boolean(),
      /** Roles of Tidegate itself, and how they are held: by a live grant, or standing, which is told to everyone. */
      administration: z.array(
        z.object({
          role: z.string(),
          by: z.enum(['grant', 'standing', 'first']),
          grant: z.string().optional(),
          until: s.instant.optional(),
        }),
      ),
      tokenExpiresAt: s.instant.optional(),
      /** Of an agent: those it acts for, the next one first. */
      actsFor: z.array(z.string()).optional(),
      authentication: s.authentication,
      /** The login that the caller came through. Absent: by a token. */
      login: z.string().optional(),
    }),
    errors: [],
  },
  listResources: {
    method: 'GET',
    path: '/v1/resources',
    auth: 'principal',
    summary: 'Resources and the roles on them',
    input: z.strictObject({ kind: s.idText.optional(), label: z.string().max(200).optional(), ...s.paging }),
    output: s.page(s.resource),
    errors: [],
  },
  getResource: {
    method: 'GET',
    path: '/v1/resources/{id}',
    auth: 'principal',
    summary: 'One resource',
    input: z.strictObject(byId),
    output: s.resource,
    errors: ['not-found'],
  },
  surveyResource: {
    method: 'POST',
    path: '/v1/resources/{id}/survey',
    auth: 'person',
    summary: 'Read the standing privileges on a target (administrators, auditors and owners of the resource)',
    input: z.strictObject(byId),
    output: z.object({ resource: z.string(), at: s.instant, items: z.array(s.standingPrivilege) }),
    errors: ['not-found', 'forbidden', 'target-unavailable'],
  },
  ask: {
    method: 'POST',
    path: '/v1/ask',
    auth: 'principal',
    summary: 'What a request would be answered, without filing it',
    input: z.strictObject({
      role: s.roleText,
      duration: s.duration,
      /** As what policy is asked. Whether someone is registered to break glass is not a matter of policy. */
      action: z.enum(['access', 'break-glass']).default('access'),
      ticket: s.ticketText.optional(),
      task: s.taskText.optional(),
    }),
    output: s.decision,
    errors: ['unknown-role'],
  },
  createRequest: {
    method: 'POST',
    path: '/v1/requests',
    auth: 'principal',
    summary: 'Ask for a role on a resource, for a time, with a reason',
    input: z.strictObject({
      role: s.roleText,
      duration: s.duration,
      reason: s.reasonText,
      ticket: s.ticketText.optional(),
      task: s.taskText.optional(),
      startAt: s.instant.optional(),
    }),
    output: s.accessRequest,
    status: 201,
    idempotent: true,
    counted: true,
    errors: ['unknown-role', 'step-up-needed', 'idempotency-mismatch', 'too-many'],
  },
  openAccess: {
    method: 'POST',
    path: '/v1/access',
    auth: 'principal',
    summary:
      'Ask for a role and, where policy gives it at once, open it in the same call; otherwise the request is filed as it is',
    input: z.strictObject({
      role: s.roleText,
      duration: s.duration,
      reason: s.reasonText,
      ticket: s.ticketText.optional(),
      task: s.taskText.optional(),
    }),
    // Its answer holds a secret, so it is not kept under a key. Whoever lost it finds the grant, and activates it again.
    output: z.object({ request: s.accessRequest, grant: s.grant.optional(), credential: s.credential.optional() }),
    counted: true,
    errors: [
      'unknown-role',
      'step-up-needed',
      'too-many',
      'grant-ended',
      'grant-busy',
      'target-unavailable',
      'no-gateway',
    ],
  },
  listRequests: {
    method: 'GET',
    path: '/v1/requests',
    auth: 'principal',
    summary: 'Requests: the caller’s own, those it can answer, or all for administrators and auditors',
    input: z.strictObject({
      status: s.accessRequest.shape.status.optional(),
      principal: s.principalText.optional(),
      role: s.roleText.optional(),
      resource: s.idText.optional(),
      awaiting: z.literal('me').optional(),
      ...s.paging,
    }),
    output: s.page(s.accessRequest),
    errors: [],
  },
  getRequest: {
    method: 'GET',
    path: '/v1/requests/{id}',
    auth: 'principal',
    summary: 'One request',
    input: z.strictObject(byId),
    output: s.accessRequest,
    errors: ['not-found'],
  },
  approveRequest: {
    method: 'POST',
    path: '/v1/requests/{id}/approve',
    auth: 'person',
    summary: 'Say yes to a request',
    input: s.answer,
    output: s.accessRequest,
    errors: [...answerErrors, 'policy-refuses', 'step-up-needed'],
  },
  denyRequest: {
    method: 'POST',
    path: '/v1/requests/{id}/deny',
    auth: 'person',
    summary: 'Say no to a request',
    input: s.answer,
    output: s.accessRequest,
    errors: answerErrors,
  },
  cancelRequest: {
    method: 'POST',
    path: '/v1/requests/{id}/cancel',
    auth: 'principal',
    summary: 'Take back one’s own pending request',
    input: z.strictObject(byId),
    output: s.accessRequest,
    errors: ['not-found', 'request-settled'],
  },
  ...grantOperations,
  whoHadAccess: {
    method: 'GET',
    path: '/v1/access',
    auth: 'person',
    summary: 'Who held which role on a resource at an instant (administrators, auditors and owners of the resource)',
    input: z.strictObject({ resource: s.idText, at: s.instant.optional(), ...s.paging }),
    output: s.page(s.holding).extend({ at: s.instant }),
    errors: ['not-found', 'forbidden'],
  },
  listFindings: {
    method: 'GET',
    path: '/v1/findings',
    auth: 'auditor',
    summary: 'What Tidegate wants a human to look at',
    input: z.strictObject({ open: z.enum(['true', 'false']).optional(), kind: s.idText.optional(), ...s.paging }),
    output: s.page(s.finding),
    errors: [],
  },
  closeFinding: {
    method: 'POST',
    path: '/v1/findings/{id}/close',
    auth: 'administrator',
    summary: 'Say that a finding has been looked at; it opens again if it is still so',
    input: z.strictObject({ ...byId, note: s.commentText }),
    output: s.finding,
    errors: ['not-found'],
  },
  putSignal: {
    method: 'PUT',
    path: '/v1/signals',
    auth: 'signal-source',
    summary: 'Say a fact about a principal or a ticket; live grants that rest on it are asked about again',
    input: z.strictObject({
      name: s.signalName,
      subject: s.signalSubject,
      value: s.signalValue,
      observedAt: s.instant.optional(),
      validFor: s.duration.optional(),
    }),
    output: z.object({ staleAt: s.instant, grantsAskedAgain: z.number(), grantsEnded: z.number() }),
    errors: [],
  },
  planConfig: {
    method: 'POST',
    path: '/v1/config/plan',
    auth: 'policy-author',
    summary: 'What applying these files would change',
    input: z.strictObject({ files: z.array(s.configFile).max(2_000) }),
    output: s.plan,
    errors: [],
  },
  applyConfig: {
    method: 'POST',
    path: '/v1/config/apply',
    auth: 'policy-author',
    summary: 'Make these files, as a whole, the configuration; what they leave out is gone',
    input: z.strictObject({ files: z.array(s.configFile).max(2_000), base: z.number().int().min(0).optional() }),
    output: s.configChange,
    status: 201,
    idempotent: true,
    errors: ['change-stale', 'idempotency-mismatch'],
  },
  listChanges: {
    method: 'GET',
    path: '/v1/changes',
    auth: 'policy-reader',
    summary: 'Changes of the configuration, newest first',
    input: z.strictObject({ status: s.configChange.shape.status.optional(), ...s.paging }),
    output: s.page(s.configChange),
    errors: [],
  },
  getChange: {
    method: 'GET',
    path: '/v1/changes/{id}',
    auth: 'policy-reader',
    summary: 'One change, with its plan',
    input: z.strictObject(byId),
    output: s.configChange,
    errors: ['not-found'],
  },
  approveChange: {
    method: 'POST',
    path: '/v1/changes/{id}/approve',
    auth: 'policy-author',
    summary: 'Apply a change that waits for a second person',
    input: z.strictObject(byId),
    output: s.configChange,
    errors: ['not-found', 'second-person-needed', 'change-settled', 'change-stale'],
  },
  rejectChange: {
    method: 'POST',
    path: '/v1/changes/{id}/reject',
    auth: 'policy-author',
    summary: 'Refuse a change that waits, or take back one’s own',
    input: z.strictObject(byId),
    output: s.configChange,
    errors: ['not-found', 'change-settled'],
  },
  listEntries: {
    method: 'GET',
    path: '/v1/audit/entries',
    auth: 'auditor',
    summary: 'The audit log, newest first',
    input: z.strictObject({
      type: s.idText.optional(),
      request: s.idText.optional(),
      grant: s.idText.optional(),
      ...s.paging,
    }),
    output: s.page(s.auditEntry),
    errors: [],
  },
  getReceipt: {
    method: 'GET',
    path: '/v1/audit/receipts/{id}',
    auth: 'principal',
    summary: 'Proof that an entry is in the log: of an entry, or of the latest entry of a grant or request',
    input: z.strictObject(byId),
    output: z.object({
      entry: z.string(),
      index: z.number(),
      /** A c2sp.org/tlog-proof@v1 text; `tidegate audit verify-receipt` checks it offline. */
      proof: z.string(),
      verifierKey: z.string(),
    }),
    errors: ['not-found', 'unavailable'],
  },
  ...gatewayOperations,
  ...recordingOperations,
  ...loginOperations,
  ...machineLoginOperations,
  ...keyOperations,
  ...factorOperations,
  ...agentOperations,
  ...serviceOperations,
  ...statementOperations,
  ...breakGlassOperations,
  ...webhookOperations,
} as const satisfies Record<string, Operation>

export type OperationId = keyof typeof operations
export type Input<Op extends OperationId> = z.input<(typeof operations)[Op]['input']>
export type ParsedInput<Op extends OperationId> = z.output<(typeof operations)[Op]['input']>
export type Output<Op extends OperationId> = z.input<(typeof operations)[Op]['output']>

/** Any authenticated operation may answer with these, whatever its entry lists. */
export const commonErrors: readonly ErrorCode[] = [
  'invalid-input',
  'not-json',
  'body-too-large',
  'unauthenticated',
  'forbidden',
  'unavailable',
  'internal',
]

/** The names in `{…}` of a path. */
export const pathParameters = (path: string): string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string)
