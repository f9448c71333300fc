/** Things as the server would answer with, for tests to change what matters to them. */

import type { Output } from '@tidegate/api'
import { instant, parseInstant } from '@tidegate/core'

export const token = `tdg_${'a'.repeat(43)}`

/** When tests happen. */
export const noon = parseInstant('2026-11-21T12:00:00Z') ?? instant(0)

const basis = { id: 'dec_1', policyVersion: '7', signals: [], reasons: [] }

export const permit: Output<'ask'> = {
  outcome: 'permit',
  ...basis,
  policies: ['readers-may-read'],
  obligations: [],
  maxDurationSeconds: 3_600,
}

export const needsApproval: Output<'ask'> = {
  outcome: 'approve',
  ...basis,
  policies: ['prod-needs-a-lead'],
  obligations: [],
  paths: [
    {
      policies: ['prod-needs-a-lead'],
      stages: [
        { approvers: ['manager'], count: 1 },
        { approvers: ['team-leads', 'security'], count: 2 },
      ],
      maxDurationSeconds: 7_200,
    },
  ],
}

export const denial: Output<'ask'> = {
  outcome: 'deny',
  ...basis,
  policies: ['never-from-unmanaged-devices'],
  cause: 'forbidden',
  reasons: ['Use a managed device.'],
  remedies: [
    { changes: [{ fact: 'duration', atMostSeconds: 1_800 }], outcome: 'permit', text: 'Ask for at most 30m.' },
    { changes: [{ fact: 'ticket' }], outcome: 'approve', text: 'Name an open ticket.' },
  ],
}

export const me: Output<'whoami'> = {
  principal: 'user:alice',
  groups: ['engineers'],
  administrator: false,
  policyAuthor: false,
  auditor: false,
  administration: [],
  authentication: { method: 'token', mfa: false, phishingResistant: false },
}

type AccessRequest = Output<'getRequest'>

export const requestOf = (change: Partial<AccessRequest> = {}): AccessRequest => ({
  id: 'req_1',
  principal: 'user:alice',
  role: 'orders-db/readonly',
  durationSeconds: 1_800,
  reason: 'Look into OPS-17',
  version: 1,
  status: 'approved',
  filedAt: '2026-11-21T11:59:00Z',
  pendingUntil: '2026-11-22T11:59:00Z',
  grant: 'grt_1',
  decision: permit,
  approvals: [],
  waitingFor: [],
  ...change,
})

export const pendingRequest = (change: Partial<AccessRequest> = {}): AccessRequest => {
  const { grant: _none, ...rest } = requestOf({
    status: 'pending',
    decision: needsApproval,
    waitingFor: ['manager', 'team-leads'],
    ...change,
  })
  return rest
}

type Grant = Output<'getGrant'>

export const grantOf = (change: Partial<Grant> = {}): Grant => ({
  id: 'grt_1',
  request: 'req_1',
  principal: 'user:alice',
  role: 'orders-db/readonly',
  state: 'ready',
  durationSeconds: 1_800,
  activateBy: '2026-11-22T12:00:00Z',
  obligations: [],
  ...change,
})

export const activeGrant = (change: Partial<Grant> = {}): Grant =>
  grantOf({ state: 'active', activatedAt: '2026-11-21T12:00:00Z', expiresAt: '2026-11-21T12:30:00Z', ...change })

export const endedGrant = (change: Partial<Grant> = {}): Grant =>
  activeGrant({
    state: 'ended',
    endedAt: '2026-11-21T12:10:00Z',
    end: { reason: 'done', at: '2026-11-21T12:10:00Z' },
    ...change,
  })

export const secret = 's3cret/+ %of-the-login'

export const credentialOf = (change: Partial<Output<'activateGrant'>['credential']> = {}) => ({
  kind: 'postgres-login' as const,
  host: '127.0.0.1',
  port: 5432,
  databases: ['orders', 'archive'],
  user: 'grt_1_login',
  secret,
  tls: 'disable' as const,
  expiresAt: '2026-11-21T12:30:00Z',
  ...change,
})

export const planOf = (change: Partial<Output<'planConfig'>> = {}): Output<'planConfig'> => ({
  base: 7,
  items: [
    { action: 'create', kind: 'group', id: 'dba', details: [], sensitive: true },
    {
      action: 'change',
      kind: 'resource',
      id: 'orders-db',
      details: ['labels.env: staging → production'],
      sensitive: false,
    },
  ],
  effects: ['Ends grant grt_9 of user:bob.'],
  needsSecondPerson: false,
  ...change,
})

export const changeOf = (change: Partial<Output<'getChange'>> = {}): Output<'getChange'> => ({
  id: 'chg_1',
  status: 'applied',
  author: 'user:alice',
  at: '2026-11-21T12:00:00Z',
  version: 8,
  plan: planOf(),
  ...change,
})

export const gatewayOf = (change: Partial<Output<'removeGateway'>> = {}): Output<'removeGateway'> => ({
  id: 'eu-1',
  state: 'enrolled',
  address: { host: 'db.example.com', port: 7432, tls: 'verify-full' },
  invitedAt: '2026-11-20T12:00:00Z',
  enrolledAt: '2026-11-20T12:01:00Z',
  lastSeenAt: '2026-11-21T11:59:55Z',
  connected: true,
  ...change,
})

export const sessionOf = (change: Partial<Output<'getSession'>> = {}): Output<'getSession'> => ({
  id: 'ses_1',
  grant: 'grt_1',
  principal: 'user:alice',
  role: 'orders-db/readonly',
  gateway: 'eu-1',
  database: 'orders',
  client: { address: '2001:db8::7', port: 55_432, tls: true, application: 'psql' },
  startedAt: '2026-11-21T11:45:00Z',
  ...change,
})

export const statementOf = (change: Partial<Output<'getStatement'>> = {}): Output<'getStatement'> => ({
  id: 'stm_1',
  session: 'ses_1',
  number: 3,
  grant: 'grt_1',
  principal: 'user:alice',
  role: 'orders-db/writer',
  database: 'orders',
  gateway: 'eu-1',
  rule: 'ask',
  about: 'DELETE on shop.orders needs the approval of a person',
  approvers: [['team-leads', 'owner']],
  status: 'pending',
  askedAt: '2026-11-21T11:59:00Z',
  pendingUntil: '2026-11-21T12:09:00Z',
  text: 'delete from shop.orders\nwhere id = $1',
  parameters: [{ text: '7' }],
  commitment: `c1:${'b'.repeat(43)}`,
  salt: 'c'.repeat(22),
  ...change,
})

export const endedSession = (change: Partial<Output<'getSession'>> = {}): Output<'getSession'> =>
  sessionOf({
    endedAt: '2026-11-21T11:58:00Z',
    endReason: 'its client left',
    statements: 12,
    refused: 2,
    head: { segment: 1, blocks: 3, bytes: 4_096, events: 24, chain: 'a'.repeat(43) },
    ...change,
  })
