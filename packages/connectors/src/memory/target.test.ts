import { randomBytes } from 'node:crypto'
import { makeId, instant } from '@tidegate/core'
import { type Fixture, type Probe, testConnector } from '../conformance.ts'
import { createFaults } from '../faults.ts'
import {
  createMemoryKind,
  createMemoryTarget,
  heir,
  type MemorySession,
  type MemoryTarget,
  privilegesOf,
} from './target.ts'

testConnector({ name: 'the connector in memory', create: createFixture })

async function createFixture(): Promise<Fixture> {
  const memory = createMemoryTarget()
  const faults = createFaults()
  const now = () => 1_000_000_000
  const connector = createMemoryKind(memory, faults).connect({
    resource: 'memory',
    config: { name: 'memory' },
    roles: [
      { name: 'narrow', risk: 'low', privileges: ['read'] },
      { name: 'wide', risk: 'elevated', privileges: ['read', 'write'] },
    ],
    secret: async () => '',
    random: randomBytes,
    limits: { connectTimeoutMs: 1_000, operationTimeoutMs: 1_000, maxConnections: 1 },
  })
  return {
    connector,
    faults,
    probe: createProbe(memory, now),
    roles: { narrow: 'narrow', wide: 'wide' },
    now,
    cleanup: async () => undefined,
  }
}

function createProbe(memory: MemoryTarget, now: () => number): Probe {
  return {
    heir,
    reach: async (credential) => {
      const privileges = privilegesOf(memory, credential, now())
      if (!privileges.has('read')) return 'nothing'
      return privileges.has('write') ? 'wide' : 'narrow'
    },
    openSession: async ({ user }) => openSession(memory, user),
    exists: async (grant) => memory.logins.has(grant),
    trace: async (grant) =>
      JSON.stringify([memory.logins.get(grant), [...memory.sessions].filter((one) => one.grant === grant).length]),
    leaveObject: async ({ user }) => {
      const thing = randomBytes(8).toString('hex')
      memory.owners.set(thing, user)
      return async () => memory.owners.get(thing) ?? ''
    },
    widen: async (role) => void memory.roles.get(role)?.add('drop'),
    isWidened: async (role) => memory.roles.get(role)?.has('drop') === true,
    makeStranger: async () => ({ grant: makeId('grant', instant(now()), randomBytes(10)), remains: async () => true }),
    makeStanding: async () => {
      memory.standing.add('root')
      return 'root'
    },
  }
}

function openSession(memory: MemoryTarget, user: string) {
  let end: () => void = () => undefined
  const closed = new Promise<void>((resolve) => (end = resolve))
  const grant = [...memory.logins.keys()].find((one) => one === user)
  if (grant === undefined) throw new Error('there is no such login')
  const session: MemorySession = { grant, end }
  memory.sessions.add(session)
  return {
    closed,
    alive: async () => memory.sessions.has(session),
    end: async () => void memory.sessions.delete(session),
  }
}
