/**
 * The gateway as it is built to ship, with everything on: a guard, a deadline, a recording on the disk. Who may come in
 * is said here, since no control plane is part of the comparison. Run as a process of its own.
 */

import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import { after, type GrantId, instant, type Millis } from '@tidegate/core'
import {
  type Admission,
  type Authority,
  type Foreseen,
  createMask,
  createGuards,
  createPostgresGateway,
  createRecorders,
  type GatewaySettings,
  type GuardRules,
  type Guards,
  type MaskRules,
  type PostgresSession,
  type Recorders,
  type Share,
  startupParameters,
  systemClock,
  type TargetLogin,
} from '@tidegate/gateway'
import { type Cut, obey, type Standing } from './gateway-orders.ts'

export type GatewaySetup = {
  readonly target: Omit<TargetLogin, 'parameters'>
  /** Of the password that all users have. */
  readonly verifier: string
  /** Where recordings go. */
  readonly dir: string
  /** Absent: it is the only process. */
  readonly share?: Share
  /** Absent: clients cannot use TLS. */
  readonly tls?: NonNullable<GatewaySettings['tls']>
}

/** Users are told apart by their guards and masks. */
type User = { readonly rules: GuardRules; readonly mask?: MaskRules }

const readOnly: GuardRules = { readOnly: true }
const oneColumn: MaskRules = { columns: [{ names: ['filler', 'c1'], by: 'partial' }] }
const users: Readonly<Record<string, User>> = {
  reader: { rules: readOnly },
  // Comes again and again with one grant, as pools and tools do.
  again: { rules: readOnly },
  writer: { rules: { requireWhere: true, denyStatements: ['DROP', 'TRUNCATE'] } },
  masked: { rules: readOnly, mask: oneColumn },
  searched: { rules: readOnly, mask: { ...oneColumn, detect: [{ kinds: ['email', 'card'], by: 'partial' }] } },
}
const hour = 3_600_000 as Millis

async function start(setup: GatewaySetup): Promise<Standing> {
  const { share } = setup
  const recorders = createRecorders({ dir: setup.dir, ...(share && { share }) })
  const sessions = new Map<number, PostgresSession>()
  const gateway = await createPostgresGateway(
    {
      authority: authorityOf(setup, recorders, await createGuards()),
      clock: systemClock,
      random: randomBytes,
      opened(session) {
        const { port } = session.client
        sessions.set(port, session)
        // The port may be somebody else's by the time the recording is written.
        void session.closed.then(() => sessions.get(port) === session && sessions.delete(port))
      },
      log(event, facts) {
        if (event === 'target-failed') process.stderr.write(`${event} ${JSON.stringify(facts)}\n`)
      },
    },
    {
      host: '127.0.0.1',
      port: 0,
      plain: 'loopback',
      mockSecret: randomBytes(32),
      ...(setup.tls && { tls: setup.tls }),
      // Nobody cancels anything here.
      ...(share && { siblings: { share, cancel: () => Promise.resolve() } }),
    },
  )
  process.on('message', (_, client) => {
    if (client instanceof Socket) gateway.receive(client)
  })
  const cut = ({ ports, atEpochMs }: Cut): void => {
    for (const [i, port] of ports.entries()) {
      const session = sessions.get(port)
      const at = atEpochMs?.[i]
      if (session === undefined) continue
      if (at === undefined) void gateway.endGrant(session.grant, 'access was revoked by user:dora')
      else session.setDeadline(instant(at))
    }
  }
  return {
    port: gateway.port,
    cut,
    async stop() {
      await gateway.stop()
      await recorders.close()
    },
  }
}

type Lead = Pick<Admission, 'grant' | 'principal' | 'target' | 'deadline'>

/** A grant and a principal for each session, as if each were somebody else's; but for who comes again and again. */
function authorityOf({ target, verifier, share }: GatewaySetup, recorders: Recorders, guards: Guards): Authority {
  // Of several processes each has numbers of its own.
  let count = (share?.worker ?? 0) * 1_000_000_000
  const key = randomBytes(32)
  const over = new AbortController().signal
  const leadOf = (user: string, number: number): Lead => ({
    grant: `grt_${String(number).padStart(26, '0')}` satisfies GrantId,
    principal: `user:${user}-${number}`,
    target: { ...target, parameters: startupParameters(users[user]?.rules ?? {}) },
    deadline: after(systemClock.now(), hour),
  })
  /** Each grant is another's, and this its first session: the next that is admitted, unless someone comes in between. */
  const foresee = (user: string): Foreseen => {
    const isFirst = user !== 'again'
    const lead = leadOf(user, isFirst ? count + 1 : 0)
    return { ...lead, target: Promise.resolve(lead.target), isFirst, over }
  }
  const admit = (user: string): Admission => {
    const number = String(++count).padStart(26, '0')
    const started = systemClock.now()
    const { rules, mask } = users[user] ?? { rules: {} }
    const lead = leadOf(user, user === 'again' ? 0 : count)
    const { grant, principal } = lead
    const recorder = recorders.open({
      session: {
        session: `ses_${number}`,
        grant,
        principal,
        resource: 'bench-db',
        role: user,
        gateway: 'bench',
        started,
      },
      policy: { text: 'keep', parameters: 'keep', rows: 'none' },
      anchor: () => undefined,
    })
    return {
      outcome: 'admitted',
      session: `ses_${number}`,
      ...lead,
      warnBeforeMs: 120_000,
      guard: guards.guardFor(rules),
      ...(mask && { mask: createMask(mask, { key }) }),
      recorder,
      whenRecorderFails: 'end',
    }
  }
  return {
    lookup: async ({ user }) => (Object.hasOwn(users, user) ? verifier : undefined),
    foresee: ({ user }) => (Object.hasOwn(users, user) ? foresee(user) : undefined),
    admit: async ({ user }) => admit(user),
  }
}

obey((setup) => start(setup as GatewaySetup))
