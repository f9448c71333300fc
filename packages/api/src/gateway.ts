/**
 * What gateways and the control plane say to one another, and what people ask about gateways and sessions.
 *
 * A gateway keeps one `syncGateway` waiting at all times: it is answered as soon as there is something to tell, goes on
 * for a moment with what there is to tell then, and is also how either side knows that the other is there. What a gateway has heard it goes on with when nobody answers;
 * what it has not, it does not give.
 */

import { z } from 'zod'
import type { Operation } from './operations.ts'
import * as s from './schemas.ts'
import { gatewayLimits as limits } from './gateway-limits.ts'
import { statementAnswer, statementId, statementOutcome } from './statements.ts'

const gatewayId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, { error: 'A gateway is called by lower-case letters, digits and -, at most 63.' })
const pem = z
  .string()
  .max(20_000)
  .regex(/^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n -]+$/, { error: 'Write PEM.' })
const base64Of = (bytes: number) =>
  z.string().refine((text) => Buffer.from(text, 'base64').length === bytes && /^[A-Za-z0-9+/]+={0,2}$/.test(text), {
    error: `Write ${bytes} bytes in base64.`,
  })

/** Where clients reach a gateway. A name or an address: drivers take what begins with `/` for a directory. */
const address = z.strictObject({
  host: z
    .string()
    .max(253)
    .regex(/^[a-z0-9:][a-z0-9._:-]*$/i, { error: 'Write a host name or an IP address.' }),
  port: z.number().int().min(1).max(65_535),
  tls: z.enum(['verify-full', 'disable']),
  ca: pem.optional(),
})

type Address = z.output<typeof address>

/** All that is said of an address, a line each: none of them but the last has an end of line in it. */
const linesOf = ({ host, port, tls, ca = '' }: Address): string => [host, port, tls, ca].join('\n')

/** What a gateway signs to enrol: that the key is its own, and that it is to be reached there. */
export const enrolmentText = ({ token, address: at }: { readonly token: string; readonly address: Address }): string =>
  `tidegate gateway enrolment\n${token}\n${linesOf(at)}\n`

/** What it signs to sign in. `at` as it is sent. */
export const signInText = (signIn: {
  readonly gateway: string
  readonly at: string
  readonly address: Address
}): string => `tidegate gateway sign-in\n${signIn.gateway}\n${signIn.at}\n${linesOf(signIn.address)}\n`

export const gateway = z
  .object({
    id: z.string(),
    /** Absent: every resource that has gateways. */
    resources: z.array(z.string()).optional(),
    state: z.enum(['invited', 'enrolled', 'removed']),
    address: address.optional(),
    invitedAt: s.instant,
    enrolledAt: s.instant.optional(),
    lastSeenAt: s.instant.optional(),
    /** It has been heard of within the last seconds, and has not signed off. */
    connected: z.boolean(),
  })
  .meta({ id: 'Gateway' })

/** A live grant, as a gateway needs to know it before anyone connects. No secret is in it. */
export const gatewayGrant = z.object({
  grant: z.string(),
  resource: z.string(),
  role: z.string(),
  /** As it is displayed: `user:alice`. */
  principal: z.string(),
  databases: z.array(z.string()),
  /**
   * Of the grant's present password, as PostgreSQL stores one: `SCRAM-SHA-256$…`. With another one the target's login
   * has another secret too, and what `releaseLogin` told before opens nothing any more. The salt stays the same for as
   * long as the grant is open.
   */
  verifier: z.string(),
  expiresAt: s.instant,
  warnBeforeSeconds: z.number(),
  /** Of what its sessions are held to. With another one, those that began under an earlier one end. */
  rules: z.string(),
})

const recordingPolicy = z.object({
  text: z.enum(['keep', 'commit']),
  parameters: z.enum(['keep', 'commit']),
  rows: z.enum(['none', 'keep', 'commit']),
  whenItFails: z.enum(['end', 'go-on']),
})

/** How a gateway gets into the target for a grant. */
export const targetLogin = z.object({
  host: z.string(),
  port: z.number(),
  user: z.string(),
  secret: z.string(),
  tls: z.enum(['verify-full', 'disable']),
  ca: z.string().optional(),
  /** Each of them has to let a statement through. As `readRules` of the gateway reads them. */
  guards: z.array(z.unknown()),
  /** What any of them hides of results is hidden. As `readMask` of the gateway reads them. */
  masks: z.array(z.unknown()),
  recording: recordingPolicy,
  /** Of these three together, as the feed tells it. */
  rules: z.string(),
})

const count = z.number().int().min(0)
const number = z.number().int().min(1)

/** What is on disk of a recording, and cannot be changed any more without its showing. */
export const head = z.strictObject({
  segment: count,
  blocks: count,
  bytes: count,
  events: count,
  /** Of the last record, in unpadded base64url. */
  chain: z.string().regex(/^[A-Za-z0-9_-]{43}$/, { error: 'Write 32 bytes in unpadded base64url.' }),
})

/** Kinds of statements by table; under the empty name what was used without one. */
const used = z.strictObject({
  tables: z.record(s.chosenText(300), z.array(s.chosenText(100)).max(100)),
  left: count,
})

const reported = { session: s.sessionId, at: s.instant }

/** The same report twice is told once. */
export const sessionReport = z.discriminatedUnion('what', [
  z.strictObject({
    ...reported,
    what: z.literal('opened'),
    grant: s.idText,
    database: s.chosenText(63),
    client: z.strictObject({
      address: s.chosenText(64),
      port: z.number().int().min(0).max(65_535),
      tls: z.boolean(),
      application: s.chosenText(64),
    }),
  }),
  z.strictObject({ ...reported, what: z.literal('recorded'), head }),
  /** What a guard has refused so far by one rule: from the first of these statements to the last. */
  z.strictObject({
    ...reported,
    what: z.literal('refused'),
    rule: s.chosenText(100),
    first: number,
    last: number,
    count: number,
  }),
  /** What became of a statement that a person was asked about. */
  z.strictObject({ ...reported, what: z.literal('statement'), statement: statementId, outcome: statementOutcome }),
  z.strictObject({
    ...reported,
    what: z.literal('ended'),
    reason: s.chosenText(500),
    statements: count,
    refused: count,
    head: head.optional(),
    used: used.optional(),
  }),
  z.strictObject({
    ...reported,
    what: z.literal('forgotten'),
    /** Of the tombstone: SHA-256 over its canonical JSON, base64url. */
    digest: z.string().regex(/^[A-Za-z0-9_-]{43}$/, { error: 'Write 32 bytes in unpadded base64url.' }),
    /** Where the recording stood by its files, and what verification said of it. */
    head,
    verdict: s.chosenText(1_000),
    files: count,
    bytes: count,
  }),
])

export const session = z
  .object({
    id: z.string(),
    grant: z.string(),
    principal: z.string(),
    role: z.string(),
    gateway: z.string(),
    database: z.string(),
    client: z.object({ address: z.string(), port: z.number(), tls: z.boolean(), application: z.string() }),
    startedAt: s.instant,
    /** Absent: it is still going on, as far as its gateway has said. */
    endedAt: s.instant.optional(),
    endReason: z.string().optional(),
    /** Nobody said how it ended: its gateway was put out, or fell silent. `endedAt` is when that was noticed. */
    lost: z.literal(true).optional(),
    statements: z.number().optional(),
    refused: z.number().optional(),
    head: head.optional(),
    /** Kinds of statements by table. Absent: it has not ended, or nothing stood guard, so that nothing was told apart. */
    used: z.object({ tables: z.record(z.string(), z.array(z.string())), left: z.number() }).optional(),
    /** Its recording was asked to be deleted, and where there is a digest it was: that of the tombstone. */
    deletion: z
      .object({
        askedAt: s.instant,
        by: z.string(),
        reason: z.string(),
        at: s.instant.optional(),
        digest: z.string().optional(),
      })
      .optional(),
  })
  .meta({ id: 'Session' })

export const gatewayOperations = {
  createGateway: {
    method: 'POST',
    path: '/v1/gateways',
    auth: 'administrator',
    summary:
      'Invite a gateway: a token with which one process enrols, once. Again for the same name: a new token, and whoever enrolled with an earlier one is out',
    input: z.strictObject({ id: gatewayId, resources: z.array(s.idText).min(1).max(1_000).optional() }),
    output: z.object({ gateway, enrolmentToken: z.string(), expiresAt: s.instant }),
    errors: [],
  },
  listGateways: {
    method: 'GET',
    path: '/v1/gateways',
    auth: 'auditor',
    summary: 'Gateways, and whether they are connected',
    input: z.strictObject({ ...s.paging }),
    output: s.page(gateway),
    errors: [],
  },
  removeGateway: {
    method: 'POST',
    path: '/v1/gateways/{id}/remove',
    auth: 'administrator',
    summary: 'Put a gateway out: it is told nothing more, and ends its sessions',
    input: z.strictObject({ id: gatewayId }),
    output: gateway,
    errors: ['not-found'],
  },
  enrolGateway: {
    method: 'POST',
    path: '/v1/gateway/enrol',
    auth: 'anyone',
    summary: 'Use an enrolment token: the key is the gateway’s identity from here on',
    input: z.strictObject({
      token: z.string().max(100),
      /** Ed25519, raw. */
      publicKey: base64Of(32),
      address,
      /** With that key, over `tidegate gateway enrolment\n`, the token, `\n`, and the address as in a sign-in. */
      signature: base64Of(64),
    }),
    output: z.object({ gateway: z.string() }),
    errors: ['too-many'],
  },
  issueGatewayToken: {
    method: 'POST',
    path: '/v1/gateway/token',
    auth: 'anyone',
    summary: 'Sign in as a gateway, with its key: a token for some minutes',
    input: z.strictObject({
      gateway: gatewayId,
      /** Later than at any sign-in before, and within a minute of the server’s clock. */
      at: s.instant,
      address,
      /**
       * Ed25519 over `tidegate gateway sign-in\n`, and a line each, ended by `\n`: the gateway, `at` as it is sent, and of
       * the address host, port, tls, and ca, which is empty where there is none.
       */
      signature: base64Of(64),
    }),
    output: z.object({ token: z.string(), expiresAt: s.instant }),
    errors: ['too-many'],
  },
  signOffGateway: {
    method: 'POST',
    path: '/v1/gateway/sign-off',
    auth: 'gateway',
    summary: 'Nobody is led to this gateway from here on, until it signs in again; what it has still to tell, it may',
    input: z.strictObject({}),
    output: z.object({}),
    errors: [],
  },
  syncGateway: {
    method: 'POST',
    path: '/v1/gateway/sync',
    auth: 'gateway',
    summary:
      'What has changed since: answered as soon as there is something, or empty at the end of the wait; with `followMs`, what changes for so long after it is told too, each answer on a line of its own',
    input: z.strictObject({
      /** Of the last answer. Absent, or not known any more: everything is told anew. */
      cursor: z.string().max(200).optional(),
      waitMs: z.number().int().min(0).max(limits.syncWaitMs),
      /** Absent: there is one answer. */
      followMs: z.number().int().min(1).max(limits.syncFollowMs).optional(),
      /** Grants that the server reads again before it answers: someone is here for them now. */
      about: z.array(s.idOf('grant')).max(limits.about).optional(),
      /** Which of the processes of the gateway asks: each has a call of its own waiting. Absent: the only one. */
      worker: z
        .number()
        .int()
        .min(0)
        .max(limits.workers - 1)
        .optional(),
    }),
    output: z.object({
      cursor: z.string(),
      /** `true`: `grants` are all there are, and what is not among them is over. */
      whole: z.boolean(),
      grants: z.array(gatewayGrant),
      ended: z.array(z.object({ grant: z.string(), reason: z.string() })),
      /** Sessions that are to end although their grant goes on. Told until they are reported as ended. */
      kill: z.array(z.object({ session: z.string(), reason: z.string() })),
      /** Recordings that someone sees: each is to be sent. Told for as long as they look. */
      views: z
        .array(z.object({ view: z.string(), session: z.string(), startedAt: s.instant, follow: z.boolean() }))
        .optional(),
      /** Recordings that are to be deleted. Told until they are reported as deleted. */
      forget: z
        .array(
          z.object({
            session: z.string(),
            startedAt: s.instant,
            by: z.string(),
            reason: z.string(),
            /** The latest that the log has of it. */
            head: head.optional(),
          }),
        )
        .optional(),
      /** What people have answered about statements that wait. */
      statements: z.array(statementAnswer),
      /** The server’s clock: deadlines are by it. */
      now: s.instant,
    }),
    errors: [],
  },
  releaseLogin: {
    method: 'POST',
    path: '/v1/gateway/grants/{id}/login',
    auth: 'gateway',
    summary: 'The login of a live grant on its target. Written into the log',
    input: z.strictObject({ id: s.idText }),
    output: targetLogin,
    errors: ['not-found', 'grant-ended'],
  },
  reportSessions: {
    method: 'POST',
    path: '/v1/gateway/sessions',
    auth: 'gateway',
    summary: 'What became of sessions, in the order in which it happened',
    input: z.strictObject({ reports: z.array(sessionReport).min(1).max(limits.reports) }),
    output: z.object({
      /** Of a session or grant that this gateway has no business with; not to be sent again. */
      refused: z.array(z.object({ index: z.number(), reason: z.string() })),
    }),
    errors: [],
  },
  listSessions: {
    method: 'GET',
    path: '/v1/sessions',
    auth: 'principal',
    summary:
      'Sessions, newest first: the caller’s own, those on resources that the caller’s groups own, or all for auditors',
    input: z.strictObject({
      grant: s.idText.optional(),
      principal: s.principalText.optional(),
      resource: s.idText.optional(),
      open: z.enum(['true', 'false']).optional(),
      ...s.paging,
    }),
    output: s.page(session),
    errors: [],
  },
  getSession: {
    method: 'GET',
    path: '/v1/sessions/{id}',
    auth: 'principal',
    summary: 'One session',
    input: z.strictObject({ id: s.idText }),
    output: session,
    errors: ['not-found'],
  },
  killSession: {
    method: 'POST',
    path: '/v1/sessions/{id}/kill',
    auth: 'principal',
    summary: 'End one session; its grant goes on (one’s own, or as an administrator or owner of the resource)',
    input: z.strictObject({ id: s.idText, reason: s.commentText.optional() }),
    output: session,
    errors: ['not-found', 'forbidden'],
  },
} as const satisfies Record<string, Operation>
