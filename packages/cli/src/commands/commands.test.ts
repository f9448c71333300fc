/** Commands that are one call: what they send, what they print, what they exit with. */

import { describe, expect, it } from 'vitest'
import type { Handlers } from '../testing/api-server.ts'
import { harness, harnessWithServer } from '../testing/context.ts'
import {
  activeGrant,
  changeOf,
  endedGrant,
  endedSession,
  gatewayOf,
  grantOf,
  me,
  pendingRequest,
  requestOf,
  sessionOf,
  statementOf,
  token,
} from '../testing/things.ts'

type Row = {
  readonly argv: readonly string[]
  readonly handlers: Handlers
  /** The last call. */
  readonly sends: Readonly<Record<string, unknown>>
  readonly prints: string
  readonly code?: number
}

const finding = {
  id: 'fnd_1',
  kind: 'close-failing',
  subject: 'grt_1',
  severity: 'high',
  message: 'orders-db cannot be reached',
  openedAt: '2026-11-21T11:00:00Z',
  lastSeenAt: '2026-11-21T11:59:30Z',
} as const

const secret = {
  id: 'svs_1',
  service: 'ci',
  madeAt: '2026-11-21T11:00:00Z',
  madeBy: 'user:carol',
  expiresAt: '2026-12-21T11:00:00Z',
} as const

const machineLogin = {
  id: 'mlg_1',
  principal: 'service:ci',
  by: 'federation',
  subject: 'repo:example/shop',
  run: 'github/8/1',
  bound: false,
  address: '192.0.2.7',
  startedAt: '2026-11-21T11:00:00Z',
  endsAt: '2026-11-21T13:00:00Z',
  current: false,
} as const

const link = {
  provider: 'okta',
  subject: '00u1alice',
  principal: 'user:alice',
  linkedBy: 'email',
  linkedAt: '2026-11-21T11:00:00Z',
}

const extension = { request: requestOf({ extends: 'grt_1' }), grant: activeGrant() }

const rows: Readonly<Record<string, Row>> = {
  whoami: { argv: ['whoami'], handlers: { whoami: () => me }, sends: {}, prints: 'user:alice\ngroups  engineers' },
  resources: {
    argv: ['resources', '--label', 'env=production'],
    handlers: {
      listResources: () => ({
        items: [
          {
            id: 'orders-db',
            kind: 'postgres',
            labels: { env: 'production' },
            roles: [{ role: 'readonly', risk: 'low', description: 'Reads' }],
          },
        ],
      }),
    },
    sends: { label: 'env=production', limit: 100 },
    prints: 'orders-db/readonly  low   postgres  env=production  Reads',
  },
  'requests of one’s own': {
    argv: ['requests'],
    handlers: { whoami: () => me, listRequests: () => ({ items: [pendingRequest()] }) },
    sends: { principal: 'user:alice', limit: 100 },
    prints: 'req_1    user:alice  orders-db/readonly  30m  waiting for the requester’s manager or team-leads  1m ago',
  },
  'requests awaiting me': {
    argv: ['requests', '--awaiting-me', '--role', 'orders-db/readonly', '--status', 'pending'],
    handlers: { listRequests: () => ({ items: [pendingRequest()] }) },
    sends: { awaiting: 'me', role: 'orders-db/readonly', status: 'pending', limit: 100 },
    prints: 'Look into OPS-17',
  },
  'requests show': {
    argv: ['requests', 'show', 'req_1'],
    handlers: { getRequest: () => pendingRequest() },
    sends: { id: 'req_1' },
    prints: 'reason  Look into OPS-17',
  },
  approve: {
    argv: ['approve', 'req_1', '--comment', 'go'],
    handlers: { approveRequest: () => requestOf() },
    sends: { id: 'req_1', comment: 'go' },
    prints: 'Your yes to user:alice for orders-db/readonly is recorded.',
  },
  deny: {
    argv: ['deny', 'req_1'],
    handlers: { denyRequest: () => pendingRequest({ status: 'denied' }) },
    sends: { id: 'req_1' },
    prints: 'Your no to user:alice',
  },
  cancel: {
    argv: ['cancel', 'req_1'],
    handlers: { cancelRequest: () => pendingRequest({ status: 'cancelled' }) },
    sends: { id: 'req_1' },
    prints: 'Cancelled: request req_1 was taken back.',
  },
  grants: {
    argv: ['grants'],
    handlers: { whoami: () => me, listGrants: () => ({ items: [activeGrant(), grantOf({ id: 'grt_2' })] }) },
    sends: { principal: 'user:alice', open: 'true', limit: 100 },
    prints: 'active  ends 2026-11-21 12:30 (in 30m)\ngrt_2  user:alice  orders-db/readonly  ready   30m once opened',
  },
  'grants of everyone, ended ones too': {
    argv: ['grants', '--all', '--ended', '--resource', 'orders-db'],
    handlers: { listGrants: () => ({ items: [endedGrant({ endedAt: '2026-11-21T11:10:00Z' })] }) },
    sends: { resource: 'orders-db', limit: 100 },
    prints: 'ended 50m ago: its holder was done',
  },
  'an extension of a grant by its id': {
    argv: ['extend', 'grt_1', '--for', '30m', '--reason', 'Not done', '--ticket', 'OPS-17'],
    handlers: { extendGrant: () => ({ ...extension, targetKnows: true }) },
    sends: { id: 'grt_1', duration: '30m', reason: 'Not done', ticket: 'OPS-17' },
    prints:
      'Granted: orders-db/readonly for 30m, by policy readers-may-read.\n  Grant grt_1 goes on, with its sessions and its credential as they are.\n  It ends 2026-11-21 12:30',
  },
  'an extension of what one holds, the one that ends first': {
    argv: ['extend', 'orders-db/readonly', '--for', '30m', '--reason', 'Not done'],
    handlers: {
      whoami: () => me,
      listGrants: () => ({
        items: [
          activeGrant({ id: 'grt_later', expiresAt: '2026-11-21T13:00:00Z' }),
          activeGrant(),
          activeGrant({ id: 'grt_over', expiresAt: '2026-11-21T11:59:00Z' }),
        ],
      }),
      extendGrant: () => extension,
    },
    sends: { id: 'grt_1', duration: '30m', reason: 'Not done' },
    prints: 'Grant grt_1 goes on',
  },
  'an extension that waits for people': {
    argv: ['extend', 'grt_1', '--for', '30m', '--reason', 'Not done'],
    handlers: { extendGrant: () => ({ request: pendingRequest({ extends: 'grt_1' }), grant: activeGrant() }) },
    sends: { id: 'grt_1', duration: '30m', reason: 'Not done' },
    prints: 'Waiting for the requester’s manager or team-leads: request req_1',
    code: 4,
  },
  agents: {
    argv: ['agents'],
    handlers: {
      listAgents: () => ({ items: [{ id: 'reader', actsFor: ['agent:helper', 'user:alice'], logins: 2 }] }),
    },
    sends: { limit: 100 },
    prints: 'reader  agent:helper for user:alice  2       may act',
  },
  'agents token': {
    argv: ['agents', 'token', 'helper', '--for', '1h'],
    handlers: {
      createAgentToken: () => ({
        token: 'tdm_x',
        expiresAt: '2026-11-21T13:00:00Z',
        principal: 'agent:helper',
        actsFor: ['user:alice'],
      }),
    },
    sends: { id: 'helper', lasts: '1h' },
    prints: 'tdm_x',
  },
  'agents kill': {
    argv: ['agents', 'kill', 'helper', '--reason', 'Loops'],
    handlers: {
      killAgent: () => ({
        agent: { id: 'helper', actsFor: ['user:alice'], logins: 0 },
        loginsEnded: 2,
        grantsEnded: 1,
      }),
    },
    sends: { id: 'helper', reason: 'Loops' },
    prints: 'Killed: agent helper. Logins ended: 2; grants: 1.',
  },
  'agents restore': {
    argv: ['agents', 'restore', 'helper'],
    handlers: { restoreAgent: () => ({ id: 'helper', actsFor: ['user:alice'], logins: 0 }) },
    sends: { id: 'helper' },
    prints: 'Restored: agent helper may act again.',
  },
  'services secrets': {
    argv: ['services', 'secrets', 'ci'],
    handlers: { listServiceSecrets: () => ({ items: [secret] }) },
    sends: { service: 'ci', limit: 100 },
    prints: 'svs_1   user:carol  good until',
  },
  'services secrets new': {
    argv: ['services', 'secrets', 'new', 'ci', '--for', '30d'],
    handlers: { createServiceSecret: () => ({ secret: 'tdk_x', about: secret }) },
    sends: { service: 'ci', lasts: '30d' },
    prints: 'tdk_x',
  },
  'services secrets revoke': {
    argv: ['services', 'secrets', 'revoke', 'svs_1'],
    handlers: { revokeServiceSecret: () => secret },
    sends: { id: 'svs_1' },
    prints: 'Revoked: svs_1 of ci.',
  },
  'logins machines': {
    argv: ['logins', 'machines', '--of', 'service:ci'],
    handlers: { listMachineLogins: () => ({ items: [machineLogin] }) },
    sends: { principal: 'service:ci', open: 'true', limit: 100 },
    prints: 'mlg_1  service:ci  federation  github/8/1  192.0.2.7  1h ago',
  },
  'logins end, of a machine': {
    argv: ['logins', 'end', 'mlg_1'],
    handlers: { endMachineLogin: () => machineLogin },
    sends: { id: 'mlg_1' },
    prints: 'Ended: mlg_1, a login of service:ci.',
  },
  'logins links': {
    argv: ['logins', 'links', 'alice'],
    handlers: { listLoginLinks: () => ({ items: [link] }) },
    sends: { user: 'alice' },
    prints: 'okta      00u1alice  user:alice  email  1h ago',
  },
  'logins unlink': {
    argv: ['logins', 'unlink', 'okta', '00u1alice'],
    handlers: { removeLoginLink: () => link },
    sends: { provider: 'okta', subject: '00u1alice' },
    prints: 'Unlinked: 00u1alice of okta is no longer user:alice.',
  },
  factors: {
    argv: ['factors'],
    handlers: {
      listFactors: () => ({
        user: 'alice',
        passkeys: [{ id: 'pky_1', name: 'Laptop', synced: false, since: '2026-11-21T11:00:00Z' }],
        recoveryCodes: 9,
        account: { since: '2026-11-21T11:00:00Z', password: false },
      }),
    },
    sends: {},
    prints:
      'passkey              Laptop  1h ago  -\n9 recovery codes     -       -       -\naccount, by passkey  -       1h ago  -',
  },
  'factors reset': {
    argv: ['factors', 'reset', 'alice', '--reason', 'Phone stolen'],
    handlers: {
      resetFactors: () => ({
        user: 'alice',
        passkeys: 1,
        totp: false,
        recoveryCodes: 9,
        loginsEnded: 2,
        invitation: { url: 'https://tidegate.example.com/join#tdi_x', endsAt: '2026-11-24T12:00:00Z' },
      }),
    },
    sends: { user: 'alice', reason: 'Phone stolen' },
    prints: 'https://tidegate.example.com/join#tdi_x',
  },
  keys: {
    argv: ['keys'],
    handlers: {
      listKeys: () => ({
        servers: 2,
        master: [
          {
            id: '0a1b2c3d',
            seals: false,
            since: '2026-11-20T12:00:00Z',
            until: '2026-11-21T11:00:00Z',
            sealed: [{ what: 'codes of an app', count: 7 }],
            servers: 2,
          },
          { id: '4e5f6a7b', seals: true, since: '2026-11-21T11:00:00Z', sealed: [], servers: 1 },
        ],
        log: [
          { verifierKey: 'tidegate/1+a', since: '2026-11-20T12:00:00Z', lastSize: 77 },
          { verifierKey: 'tidegate/1+b', since: '2026-11-21T11:00:00Z' },
        ],
      }),
    },
    sends: {},
    prints:
      '0a1b2c3d  opens, being replaced  1d ago  7       2 of 2\n4e5f6a7b  seals                  1h ago  0       1 of 2\n\nLOG KEY       SINCE   SIGNED UP TO\ntidegate/1+a  1d ago  77\ntidegate/1+b  1h ago  signs',
  },
  'audit rotate-key': {
    argv: ['audit', 'rotate-key', '--reason', 'Once a year'],
    handlers: { changeLogKey: () => ({ from: 'tidegate/1+a', to: 'tidegate/1+b' }) },
    sends: { reason: 'Once a year' },
    prints: 'tidegate/1+b',
  },
  'run done': {
    argv: ['run', 'done'],
    handlers: { endRun: () => ({ run: 'github/8/1', loginsEnded: 1, grantsEnded: 2 }) },
    sends: {},
    prints: 'Done: run github/8/1. Logins ended: 1; grants: 2.',
  },
  done: {
    argv: ['done', 'grt_1', '--note', 'fixed'],
    handlers: { endGrant: () => endedGrant() },
    sends: { id: 'grt_1', because: 'done', note: 'fixed' },
    prints: 'Ended: grant grt_1 (orders-db/readonly): its holder was done.',
  },
  revoke: {
    argv: ['revoke', 'grt_1', '--reason', 'stolen laptop'],
    handlers: { revokeGrant: () => activeGrant({ state: 'ending' }) },
    sends: { id: 'grt_1', reason: 'stolen laptop' },
    prints: 'Ending: grant grt_1',
  },
  sessions: {
    argv: ['sessions', '--resource', 'orders-db', '--principal', 'user:alice'],
    handlers: { listSessions: () => ({ items: [sessionOf()] }) },
    sends: { resource: 'orders-db', principal: 'user:alice', open: 'true', limit: 100 },
    prints: 'ses_1    user:alice  orders-db/readonly  orders    2001:db8::7  eu-1     15m ago  open',
  },
  'sessions of a grant, ended ones too': {
    argv: ['sessions', '--all', '--grant', 'grt_1'],
    handlers: { listSessions: () => ({ items: [endedSession()] }) },
    sends: { grant: 'grt_1', limit: 100 },
    prints: 'ended 2m ago: its client left',
  },
  'sessions show': {
    argv: ['sessions', 'show', 'ses_1'],
    handlers: { getSession: () => endedSession() },
    sends: { id: 'ses_1' },
    prints: `from        [2001:db8::7]:55432, psql
gateway     eu-1
started     2026-11-21 11:45 (15m ago)
state       ended 2m ago: its client left
statements  12, 2 of them refused
recorded    24 events, 4096 bytes, up to ${'a'.repeat(43)}`,
  },
  'sessions kill': {
    argv: ['sessions', 'kill', 'ses_1', '--reason', 'It holds a lock'],
    handlers: { killSession: () => sessionOf() },
    sends: { id: 'ses_1', reason: 'It holds a lock' },
    prints: 'Ending: session ses_1 (user:alice, orders-db/readonly); its gateway eu-1 is told.\n  Grant grt_1 goes on',
  },
  'statements that wait for me': {
    argv: ['statements'],
    handlers: { listStatements: () => ({ items: [statementOf()] }) },
    sends: { awaiting: 'me', limit: 100 },
    prints:
      'stm_1      user:alice  orders-db/writer  orders    pending  in 9m  DELETE on shop.orders needs the approval',
  },
  'statements of one’s own': {
    argv: ['statements', '--mine', '--session', 'ses_1'],
    handlers: { whoami: () => me, listStatements: () => ({ items: [statementOf({ status: 'run' })] }) },
    sends: { principal: 'user:alice', session: 'ses_1', limit: 100 },
    prints: 'run',
  },
  'statements of everyone': {
    argv: ['statements', '--all', '--status', 'denied'],
    handlers: { listStatements: () => ({ items: [] }) },
    sends: { status: 'denied', limit: 100 },
    prints: '',
  },
  'statements show': {
    argv: ['statements', 'show', 'stm_1'],
    handlers: { getStatement: () => statementOf() },
    sends: { id: 'stm_1' },
    prints: `approver  team-leads or the resource’s owner
state     waiting

1 | delete from shop.orders
2 | where id = $1

$1        “7”
That is all of it: 2 lines, 37 characters, 1 parameter.
  Answer with: tidegate statements approve stm_1 or tidegate statements deny stm_1`,
  },
  'statements approve': {
    argv: ['statements', 'approve', 'stm_1', '--comment', 'go'],
    handlers: { approveStatement: () => statementOf({ status: 'approved' }) },
    sends: { id: 'stm_1', comment: 'go' },
    prints: 'Approved: statement stm_1 of user:alice is run, if its client still waits.',
  },
  'statements deny': {
    argv: ['statements', 'deny', 'stm_1', '--comment', 'Use the replica'],
    handlers: { denyStatement: () => statementOf({ status: 'denied' }) },
    sends: { id: 'stm_1', comment: 'Use the replica' },
    prints: 'Denied: statement stm_1 of user:alice is refused.',
  },
  gateways: {
    argv: ['gateways'],
    handlers: {
      listGateways: () => ({
        items: [gatewayOf(), gatewayOf({ id: 'eu-2', connected: false, resources: ['a', 'b'] })],
      }),
    },
    sends: { limit: 100 },
    prints: `eu-1     connected      db.example.com:7432  all that have gateways  5s ago
eu-2     not connected  db.example.com:7432  a b                     5s ago`,
  },
  'gateways remove': {
    argv: ['gateways', 'remove', 'eu-1'],
    handlers: { removeGateway: () => gatewayOf({ state: 'removed', connected: false }) },
    sends: { id: 'eu-1' },
    prints: 'Removed: gateway eu-1. Its key is refused from now on.',
  },
  'gateways new': {
    argv: ['gateways', 'new', 'payments', '--resource', 'ledger-db', '--resource', 'cards-db'],
    handlers: {
      createGateway: () => ({
        gateway: gatewayOf({ id: 'payments', state: 'invited', connected: false }),
        enrolmentToken: 'tge_once',
        expiresAt: '2026-11-21T13:00:00Z',
      }),
    },
    sends: { id: 'payments', resources: ['ledger-db', 'cards-db'] },
    prints: 'tge_once\n',
  },
  survey: {
    argv: ['survey', 'orders-db'],
    handlers: {
      surveyResource: () => ({
        resource: 'orders-db',
        at: '2026-11-21T12:00:00Z',
        items: [{ holder: 'legacy', kind: 'superuser', what: 'is a superuser', risk: 'admin', canLogin: true }],
      }),
    },
    sends: { id: 'orders-db' },
    prints: 'legacy  admin  superuser  is a superuser  yes    not known',
  },
  findings: {
    argv: ['findings'],
    handlers: { listFindings: () => ({ items: [finding] }) },
    sends: { open: 'true', limit: 100 },
    prints: 'fnd_1    high      grt_1    1h ago  30s ago    orders-db cannot be reached',
  },
  signal: {
    argv: ['signal', 'network', 'user:alice', 'trusted=true', 'country=49', '--valid-for', '5m'],
    handlers: { putSignal: () => ({ staleAt: '2026-11-21T12:05:00Z', grantsAskedAgain: 1, grantsEnded: 0 }) },
    sends: { name: 'network', subject: 'user:alice', value: { trusted: true, country: '49' }, validFor: '5m' },
    prints: '1 grant was asked about again, 0 ended.',
  },
  changes: {
    argv: ['changes', '--status', 'pending'],
    handlers: { listChanges: () => ({ items: [changeOf({ status: 'pending' })] }) },
    sends: { status: 'pending', limit: 100 },
    prints: 'chg_1   pending  8        user:alice  -',
  },
  'changes show': {
    argv: ['changes', 'show', 'chg_1'],
    handlers: { getChange: () => changeOf() },
    sends: { id: 'chg_1' },
    prints:
      '  + create group dba  (who may do what)\n  ~ change resource orders-db\n      labels.env: staging → production',
  },
  'approve of a change': {
    argv: ['approve', 'chg_1'],
    handlers: { approveChange: () => changeOf() },
    sends: { id: 'chg_1' },
    prints: 'Applied as version 8.',
  },
  'deny of a change': {
    argv: ['deny', 'chg_1'],
    handlers: { rejectChange: () => changeOf({ status: 'rejected' }) },
    sends: { id: 'chg_1' },
    prints: 'Rejected: change chg_1.',
  },
  'who-had-access': {
    argv: ['who-had-access', '--resource', 'orders-db', '--at', '2026-11-21T03:00:00Z'],
    handlers: {
      whoHadAccess: ({ at }) => ({
        at: at ?? '',
        items: [
          {
            grant: 'grt_1',
            request: 'req_1',
            principal: 'user:bob',
            role: 'orders-db/writer',
            reason: 'Fix it',
            from: '2026-11-21T02:50:00Z',
            to: '2026-11-21T03:10:05Z',
            endReason: 'expired',
            approvers: ['user:lead'],
          },
        ],
      }),
    },
    sends: { resource: 'orders-db', at: '2026-11-21T03:00:00Z', limit: 100 },
    prints:
      'user:bob  orders-db/writer  2026-11-21 02:50:00  2026-11-21 03:10:05 (expired)  user:lead    grt_1  Fix it',
  },
}

describe.each(Object.entries(rows))('%s', (_name, { argv, handlers, sends, prints, code = 0 }) => {
  it('sends what was said, with the token, and prints the answer', async () => {
    const { run, server, stdout } = await harnessWithServer(handlers)
    expect(await run(...argv)).toBe(code)
    const last = server.calls.at(-1)
    expect(last?.input).toEqual(sends)
    expect(last?.authorization).toBe(`Bearer ${token}`)
    expect(stdout()).toContain(prints)
  })

  it('prints JSON alone with --output json', async () => {
    const { run, stdout } = await harnessWithServer(handlers)
    expect(await run('--output', 'json', ...argv)).toBe(code)
    expect(JSON.parse(stdout())).toBeTypeOf('object')
  })
})

describe('a list', () => {
  it('is read over as many pages as it takes, and says when there is more', async () => {
    const { run, server, stdout, stderr } = await harnessWithServer({
      listGrants: ({ cursor, limit }) => ({
        items: Array.from({ length: limit }, (_, i) => grantOf({ id: `grt_${cursor ?? ''}${i}` })),
        next: `${cursor ?? ''}n`,
      }),
    })
    expect(await run('grants', '--all', '--limit', '700')).toBe(0)
    expect(server.calls.map(({ input }) => [input['limit'], input['cursor']])).toEqual([
      [500, undefined],
      [200, 'n'],
    ])
    expect(stdout().trim().split('\n')).toHaveLength(701)
    expect(stderr()).toContain('more than these 700')
  })

  it('that is empty says so on stderr alone', async () => {
    const { run, stdout, stderr } = await harnessWithServer({ listFindings: () => ({ items: [] }) })
    expect(await run('findings')).toBe(0)
    expect(stdout()).toBe('')
    expect(stderr()).toContain('nothing to look at')
  })
})

describe('a signal', () => {
  it.each([
    [['device', 'user:alice', 'compliant=yes'], /true or false/],
    [['device', 'user:alice', 'complaint=true'], /has no field complaint/],
    [['device', 'user:alice', '__proto__=true'], /has no field/],
    [['device', 'user:alice', 'compliant'], /KEY=VALUE/],
  ])('with a slip in it is not sent: %j', async (args, message) => {
    const { run, server, stderr } = await harnessWithServer({})
    expect(await run('signal', ...args)).toBe(2)
    expect(stderr()).toMatch(message)
    expect(server.calls).toEqual([])
  })
})

describe('an extension', () => {
  const asking = ['extend', 'orders-db/readonly', '--for', '30m', '--reason', 'Not done'] as const

  it('of what one does not hold is not asked for, and says how to open it', async () => {
    const { run, server, stderr } = await harnessWithServer({ whoami: () => me, listGrants: () => ({ items: [] }) })
    expect(await run(...asking)).toBe(6)
    expect(stderr()).toContain('You have no open grant of orders-db/readonly.')
    expect(stderr()).toContain('tidegate connect orders-db/readonly')
    expect(server.callsOf('extendGrant')).toEqual([])
  })

  it('that the target has not heard of says so', async () => {
    const { run, stdout, stderr } = await harnessWithServer({
      extendGrant: () => ({ ...extension, targetKnows: false }),
    })
    expect(await run('extend', 'grt_1', '--for', '30m', '--reason', 'Not done')).toBe(0)
    expect(stderr()).toContain('The target could not be told yet')
    expect(stdout()).toContain('Granted')
  })

  it('that is waited for ends with what people answered', async () => {
    const waiting = { request: pendingRequest({ extends: 'grt_1' }), grant: activeGrant() }
    const { run, stdout } = await harnessWithServer({
      extendGrant: () => waiting,
      getRequest: () => requestOf({ extends: 'grt_1' }),
      getGrant: () => activeGrant({ expiresAt: '2026-11-21T13:00:00Z' }),
    })
    expect(await run('extend', 'grt_1', '--for', '1h', '--reason', 'Not done', '--wait')).toBe(0)
    expect(stdout()).toContain('It ends 2026-11-21 13:00')
  })
})

describe('a new token', () => {
  it('is printed once, beside its hash and end for the configuration, and asks no server', async () => {
    const { run, stdout, stderr } = await harness()
    expect(await run('token', 'new', '--for', '1d')).toBe(0)
    expect(stdout()).toMatch(/^tdg_[\w-]{43}\n$/)
    expect(stderr()).toMatch(/tokens:\n {6}- hash: sha256:[0-9a-f]{64}\n {8}expires: 2026-11-22T12:00:00.000Z/)
    expect(stderr()).not.toContain(stdout().trim())
  })
})

describe('an invitation of a gateway', () => {
  it('says the token on stdout alone, and beside it the command that uses it, without it', async () => {
    const { run, server, stdout, stderr } = await harnessWithServer({
      createGateway: () => ({
        gateway: gatewayOf({ state: 'invited', connected: false }),
        enrolmentToken: 'tge_once',
        expiresAt: '2026-11-21T13:00:00Z',
      }),
    })
    expect(await run('gateways', 'new', 'eu-1')).toBe(0)
    expect(server.calls[0]?.input).toEqual({ id: 'eu-1' })
    expect(stdout()).toBe('tge_once\n')
    expect(stderr()).not.toContain('tge_once')
    expect(stderr()).toContain('good once, until 2026-11-21 13:00 (in 1h)')
    expect(stderr()).toContain(`tidegate gateway --url ${server.url} --data ./eu-1 --listen 127.0.0.1:7432`)
  })
})

describe('approving a change at a terminal', () => {
  it('shows the plan first, and does nothing on a no', async () => {
    const { run, server, stderr } = await harnessWithServer(
      { getChange: () => changeOf({ status: 'pending' }), approveChange: () => changeOf() },
      { tty: true, env: { NO_COLOR: '1' }, stdin: 'n\n' },
    )
    expect(await run('changes', 'approve', 'chg_1')).toBe(3)
    expect(stderr()).toContain('! Ends grant grt_9 of user:bob.')
    expect(server.callsOf('approveChange')).toEqual([])
  })

  it('approves on a yes', async () => {
    const { run, server } = await harnessWithServer(
      { getChange: () => changeOf({ status: 'pending' }), approveChange: () => changeOf() },
      { tty: true, stdin: 'y\n' },
    )
    expect(await run('approve', 'chg_1')).toBe(0)
    expect(server.callsOf('approveChange')).toHaveLength(1)
  })
})

describe('a statement', () => {
  const shownAs = async (change: Parameters<typeof statementOf>[0]): Promise<string> => {
    const { run, stdout } = await harnessWithServer({ getStatement: () => statementOf(change) })
    expect(await run('statements', 'show', 'stm_1')).toBe(0)
    return stdout()
  }

  it('shows what a terminal would hide, reorder or act on, and fakes no line of ours', async () => {
    const text = 'delete/*\u202e*/\tfrom\u00a0t\u200b\r\n\u001b[2K\nstate     approved\u2028x'
    const printed = await shownAs({ text, parameters: [{ text: 'a\u0000b\nc' }, null, { bytes: 'AAE=' }] })
    expect(printed).toContain(`1 | delete/*<U+202E>*/<U+0009>from<U+00A0>t<U+200B><U+000D>
2 | <U+001B>[2K
3 | state     approved<U+2028>x
`)
    expect(printed).toContain('$1        “a<U+0000>b<U+000A>c”\n$2        null\n$3        binary, in base64: AAE=\n')
  })

  it('that is settled says how, and by whom', async () => {
    const answer = { approver: 'user:bob', as: ['owner'], comment: 'Go', at: '2026-11-21T11:59:30Z' }
    const { text: _, parameters: __, ...settled } = statementOf({ settledAt: answer.at, answer })
    const { run, stdout } = await harnessWithServer({
      getStatement: () => ({ ...settled, status: 'abandoned', because: 'its session ended' }),
    })
    expect(await run('statements', 'show', 'stm_1')).toBe(0)
    expect(stdout()).toContain('state     abandoned: its session ended\n')
    expect(stdout()).toContain('answer    user:bob (the resource’s owner), “Go”, 2026-11-21 11:59 (30s ago)')
    expect(stdout()).not.toContain('Answer with')
  })

  it('is shown at a terminal before it is approved, and not approved on a no', async () => {
    const handlers = { getStatement: () => statementOf(), approveStatement: () => statementOf({ status: 'approved' }) }
    const no = await harnessWithServer(handlers, { tty: true, env: { NO_COLOR: '1' }, stdin: 'n\n' })
    expect(await no.run('statements', 'approve', 'stm_1')).toBe(3)
    expect(no.stderr()).toContain('1 | delete from shop.orders')
    expect(no.server.callsOf('approveStatement')).toEqual([])
    const yes = await harnessWithServer(handlers, { tty: true, stdin: 'y\n' })
    expect(await yes.run('statements', 'approve', 'stm_1')).toBe(0)
    expect(yes.server.callsOf('approveStatement')).toHaveLength(1)
  })
})
