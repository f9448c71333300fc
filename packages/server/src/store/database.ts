/** The store's tables, as the code sees them. Timestamps are read as `Instant`; `instantParam` writes them. */

import type { Instant, Millis, Obligation, StatementStatus } from '@tidegate/core'
import type { Generated, JSONColumnType, Transaction } from 'kysely'
import { CamelCasePlugin, Kysely, PostgresDialect, sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import pg from 'pg'
import type { Logger } from 'pino'
import type { Json, MaybeJson, MaybeTime, Time } from './columns.ts'
import type { IdentityTables } from './identity-tables.ts'
import { createNames, quicken } from './connection.ts'
import type { MachineTables } from './machine-tables.ts'

export type Tables = IdentityTables &
  MachineTables & {
    installation: {
      onlyOne: Generated<boolean>
      createdAt: Time
      keyCheck: Buffer
      logOrigin: string
      waysInGivenAt: Time | null
    }
    masterKey: { id: string; since: Time; until: MaybeTime; unusedAt: MaybeTime }
    configurationVersion: {
      version: number
      files: JSONColumnType<{ path: string; text: string }[]>
      hash: string
      appliedAt: Time
      appliedBy: string
    }
    configurationChange: {
      id: string
      base: number
      files: JSONColumnType<{ path: string; text: string }[]>
      plan: Json
      status: 'applied' | 'pending' | 'rejected' | 'stale'
      author: string
      at: Time
      settledBy: string | null
      settledAt: MaybeTime
      version: number | null
      waited: boolean
    }
    apiToken: {
      id: string
      principal: string
      hash: Buffer
      createdAt: Time
      expiresAt: Time
      revokedAt: MaybeTime
    }
    signal: {
      name: string
      subject: string
      value: Json
      source: string
      observedAt: Time
      staleAt: Time
    }
    decision: {
      id: string
      at: Time
      policyVersion: string
      outcome: string
      question: Json
      answer: Json
    }
    requestTransition: { fromStatus: string; toStatus: string }
    grantTransition: { fromState: string; toState: string }
    accessRequest: {
      id: string
      principal: string
      resource: string
      role: string
      durationMs: number
      reason: string
      action: 'break-glass' | null
      ticket: string | null
      task: string | null
      startAt: MaybeTime
      status: string
      decision: string
      filedAt: Time
      authentication: MaybeJson
      pendingUntil: Time
      settledAt: MaybeTime
      extends: string | null
      grantId: string | null
      version: number
    }
    approval: {
      id: string
      request: string
      approver: string
      verdict: string
      asSpecs: string[]
      comment: string | null
      at: Time
      serial: Generated<number>
    }
    accessGrant: {
      id: string
      request: string
      principal: string
      resource: string
      role: string
      state: string
      durationMs: number
      startAt: MaybeTime
      activateBy: Time
      activatedAt: MaybeTime
      openedAt: MaybeTime
      expiresAt: MaybeTime
      extension: string | null
      extendedAt: MaybeTime
      attempt: Generated<number>
      unsureAttempts: Generated<number>
      endReason: string | null
      endAt: MaybeTime
      endBy: string | null
      endNote: string | null
      endedAt: MaybeTime
      configuration: number | null
      authentication: MaybeJson
      login: string | null
      closeFailures: Generated<number>
      closeError: string | null
      dueAt: MaybeTime
      obligations: JSONColumnType<Obligation[]>
      loginSealed: Buffer | null
      loginVerifier: string | null
      loginDatabases: string[] | null
    }
    gateway: {
      id: string
      resources: string[] | null
      invitedAt: Time
      invitationHash: Buffer | null
      invitationEndsAt: MaybeTime
      publicKey: Buffer | null
      address: MaybeJson
      enrolledAt: MaybeTime
      signedInAt: MaybeTime
      signedOffAt: MaybeTime
      lastSeenAt: MaybeTime
      removedAt: MaybeTime
    }
    directoryUser: {
      id: string
      source: string
      externalId: string
      name: string | null
      email: string | null
      manager: string | null
      active: boolean
      createdAt: Time
      changedAt: Time
    }
    directoryGroup: { id: string; source: string; externalId: string; name: string }
    directoryMembership: { groupId: string; member: string; endsAt: MaybeTime }
    scimUser: {
      id: string
      source: string
      userId: string
      userName: string
      externalId: string | null
      document: Json
      version: Generated<number>
      createdAt: Time
      changedAt: Time
    }
    scimGroup: {
      id: string
      source: string
      groupId: string
      externalId: string | null
      name: string
      version: Generated<number>
      createdAt: Time
      changedAt: Time
    }
    loginLink: { provider: string; subject: string; userId: string; linkedBy: string; linkedAt: Time }
    login: {
      id: string
      kind: 'browser' | 'command-line'
      userId: string
      provider: string
      subject: string
      providerSession: string | null
      authentication: Json
      secretHash: Buffer
      earlierHash: Buffer | null
      earlierUntil: MaybeTime
      rotatedAt: Time
      clientAddress: string
      clientAgent: string | null
      startedAt: Time
      lastUsedAt: Time
      endsAt: Time
      endedAt: MaybeTime
      endReason: string | null
      keyThumbprint: string | null
      allowedBy: string | null
    }
    spentToken: { hash: Buffer; endsAt: Time }
    gatewayToken: { hash: Buffer; gateway: string; createdAt: Time; expiresAt: Time }
    accessSession: {
      id: string
      grantId: string
      gateway: string
      database: string
      clientAddress: string
      clientPort: number
      clientTls: boolean
      clientApplication: string
      startedAt: Time
      endedAt: MaybeTime
      endReason: string | null
      lost: Generated<boolean>
      statements: number | null
      refused: number | null
      head: MaybeJson
      used: MaybeJson
      refusals: MaybeJson
      killAskedAt: MaybeTime
      killReason: string | null
      forgetAskedAt: MaybeTime
      forgetBy: string | null
      forgetReason: string | null
      forgottenAt: MaybeTime
      forgottenDigest: string | null
    }
    recordingView: {
      id: string
      session: string
      gateway: string
      viewer: string
      follow: boolean
      askedAt: Time
      sender: string | null
      sent: Generated<number>
      isOver: Generated<boolean>
    }
    recordingPiece: { view: string; number: number; sealed: Buffer }
    statementTransition: { fromStatus: string; toStatus: string }
    accessStatement: {
      id: string
      session: string
      grantId: string
      gateway: string
      principal: string
      number: number
      rule: string
      about: string
      approvers: Json
      contents: Buffer | null
      salt: Buffer
      digest: string
      status: StatementStatus
      askedAt: Time
      pendingUntil: Time
      answeredBy: string | null
      answeredAs: string[] | null
      answeredAt: MaybeTime
      comment: string | null
      settledAt: MaybeTime
      because: string | null
      overAt: MaybeTime
    }
    targetState: {
      resource: string
      dueAt: Time
      failures: Generated<number>
      error: string | null
      configuration: number | null
      tendedAt: MaybeTime
    }
    finding: {
      id: string
      kind: string
      subject: string
      severity: 'low' | 'medium' | 'high'
      message: string
      openedAt: Time
      lastSeenAt: Time
      closedAt: MaybeTime
    }
    idempotency: {
      principal: string
      key: string
      operation: string
      inputHash: Buffer
      output: Json
      at: Time
    }
    auditEntry: {
      serial: Generated<number>
      id: string
      type: string
      at: Time
      request: string | null
      grantId: string | null
      body: Buffer
      leafIndex: number | null
    }
    auditDisclosure: {
      entry: string
      path: string
      salt: Buffer
      value: Json
      subject: string | null
    }
    webhook: {
      id: string
      declared: string
      nextIndex: number
      succeededAt: MaybeTime
      failures: Generated<number>
      failedAt: MaybeTime
      error: string | null
      dueAt: MaybeTime
      offAt: MaybeTime
      sender: string | null
      senderUntil: MaybeTime
    }
    auditTile: { level: number; number: number; hashes: Buffer }
    logKey: {
      number: number
      verifierKey: string
      signingKey: Buffer | null
      since: Time
      namedAt: number | null
      lastSize: number | null
    }
    auditCheckpoint: { size: number; note: string; at: Time }
  }

export type Database = Kysely<Tables>
export type Tx = Transaction<Tables>
/** Either: reads that may or may not be part of a change. */
export type Reader = Database | Tx

export const instantParam = (at: Instant): Date => new Date(at)
export const maybeInstantParam = (at: Instant | undefined): Date | null => (at === undefined ? null : new Date(at))

/** An instant to compare a column with. */
export const boundInstant = (at: Instant): RawBuilder<Instant> => sql<Instant>`${new Date(at)}::timestamptz`

const { builtins } = pg.types

/** Instants come back as numbers, and 64-bit integers too: ours stay far below 2^53. */
const types = new pg.TypeOverrides()
types.setTypeParser(builtins.TIMESTAMPTZ, (text: string) => Date.parse(isoForm(text)))
types.setTypeParser(builtins.INT8, Number)

/** PostgreSQL writes `2026-11-21 09:00:00.123+00` with the session in UTC. */
const isoForm = (text: string): string => text.replace(' ', 'T').replace(/([+-]\d{2})$/, '$1:00')

export type PoolConfig = {
  readonly url: string
  readonly maxConnections: number
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly log: Logger
}

export function createPool(config: PoolConfig): pg.Pool {
  const names = createNames()
  const pool = new pg.Pool({
    connectionString: config.url,
    max: config.maxConnections,
    connectionTimeoutMillis: config.connectTimeoutMs,
    statement_timeout: config.statementTimeoutMs,
    // A store that hangs cancels nothing, and a network that swallows everything tells nobody: past this the connection is
    // cut at this end. Later than the store's own limit, so that a store that is well says what is wrong.
    query_timeout: config.statementTimeoutMs * 1.2,
    // What a server holds whose machine or network is gone is free for the others after this. Longer than two verbs on a
    // target, which is the longest that a transaction says nothing.
    idle_in_transaction_session_timeout: config.statementTimeoutMs * 1.5,
    application_name: 'tidegate-server',
    options: '-c TimeZone=UTC -c search_path=tidegate',
    keepAlive: true,
    // Statements of one transaction are sent one after another without waiting for each answer.
    pipeline: true,
    types,
  })
  // A connection that breaks is not an error of anyone's work: whoever uses it hears of it from its query, and the pool
  // makes another. Without a listener of its own the process would end, where it breaks between two queries.
  pool.on('connect', (client) => {
    client.on('error', () => undefined)
    quicken(client, names)
  })
  pool.on('error', (error) => config.log.warn({ err: error }, 'a connection to the store broke'))
  return pool
}

export const createDatabase = (pool: pg.Pool): Database =>
  new Kysely<Tables>({
    dialect: new PostgresDialect({ pool }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
  })

/** In this transaction nobody waits longer for a row: afterwards it is `isLockTimeout`. */
export const setLockTimeout = async (tx: Tx, timeout: Millis): Promise<void> =>
  void (await sql`select set_config('lock_timeout', ${String(timeout)}, true)`.execute(tx))

export const isLockTimeout = (error: unknown): boolean => (error as { code?: unknown } | undefined)?.code === '55P03'
