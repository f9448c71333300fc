/**
 * A target in memory, with the smallest connector that keeps the contract: a reference to read, and what the simulation
 * opens and closes. Everything the connector does to the target is one `send`, so that faults can strike between.
 */

import { type GrantId, type Instant, instant } from '@tidegate/core'
import { z } from 'zod'
import {
  type CloseOutcome,
  type Connector,
  type ConnectorKind,
  type Credential,
  type Failure,
  type Lease,
  type OpenOutcome,
  type Target,
  targetFault,
} from '../contract.ts'
import type { Faults } from '../faults.ts'

export type MemoryLogin = { role: string; secret: string; expiresAt: Instant; shut: boolean }
export type MemorySession = { readonly grant: GrantId; readonly end: () => void }

/** What is there, for all to see: tests and the simulation read and change it past the connector. */
export type MemoryTarget = {
  readonly logins: Map<GrantId, MemoryLogin>
  readonly sessions: Set<MemorySession>
  /** Privileges of each role. */
  readonly roles: Map<string, Set<string>>
  /** Owner of each thing: a grant or `heir`. */
  readonly owners: Map<string, string>
  readonly standing: Set<string>
}

export const heir = 'heir'

export const createMemoryTarget = (): MemoryTarget => ({
  logins: new Map(),
  sessions: new Set(),
  roles: new Map(),
  owners: new Map(),
  standing: new Set(),
})

/** What the target itself lets a credential do: nothing, if it does not log in. */
export function privilegesOf(target: MemoryTarget, { user, secret }: Credential, now: number): ReadonlySet<string> {
  const login = target.logins.get(user as GrantId)
  if (login === undefined || login.shut || login.secret !== secret || now >= login.expiresAt) return new Set()
  return target.roles.get(login.role) ?? new Set()
}

export type MemoryConfig = { readonly name: string }
export type MemoryPrivileges = readonly string[]

export const createMemoryKind = (
  memory: MemoryTarget,
  faults: Faults,
): ConnectorKind<MemoryConfig, MemoryPrivileges> => ({
  kind: 'memory',
  about: 'A target in memory, for tests',
  config: z.strictObject({ name: z.string() }),
  privileges: z.array(z.string()),
  targetKey: ({ name }) => name,
  problems: () => [],
  connect: (target) => connectMemory(memory, { target, faults }),
})

type Wiring = { readonly target: Target<MemoryConfig, MemoryPrivileges>; readonly faults: Faults }

function connectMemory(memory: MemoryTarget, { target, faults }: Wiring): Connector {
  const send = <T>(work: () => T): Promise<T> => faults.send(async () => work(), nothingToCut)
  return {
    align: () => orLost(() => alignRoles(memory, { target, send })),
    open: async (lease): Promise<OpenOutcome> => {
      if (!target.roles.some(({ name }) => name === lease.role)) {
        return { outcome: 'failed', notDone: true, cause: 'misconfigured', message: `there is no role ${lease.role}` }
      }
      return orLost(async () => ({ outcome: 'opened', credential: await makeLogin(memory, { lease, target, send }) }))
    },
    moveEnd: (lease) =>
      orLost(async () => {
        await send(() => moveEnd(memory, lease))
        return { outcome: 'moved' }
      }),
    close: (grant) => orLost(() => takeAway(memory, { grant, send })),
    find: async () =>
      orFault(await orLost(async () => ({ outcome: 'read', rows: await send(() => listLogins(memory)) }))),
    survey: async () =>
      orFault(await orLost(async () => ({ outcome: 'read', rows: await send(() => listStanding(memory)) }))),
    end: () => Promise.resolve(),
  }
}

type Send = <T>(work: () => T) => Promise<T>

const nothingToCut = (): void => undefined

async function orLost<T>(work: () => Promise<T>): Promise<T | Failure> {
  try {
    return await work()
  } catch {
    return { outcome: 'failed', notDone: false, cause: 'unreachable', message: 'the connection to the target was lost' }
  }
}

function orFault<T>(answer: { readonly outcome: 'read'; readonly rows: T } | Failure): T {
  if (answer.outcome === 'failed') throw targetFault(answer)
  return answer.rows
}

async function alignRoles(memory: MemoryTarget, { target, send }: Omit<Wiring, 'faults'> & { readonly send: Send }) {
  const wanted = new Map(target.roles.map(({ name, privileges }) => [name, new Set(privileges)]))
  const held = await send(() => new Map([...memory.roles].map(([name, privileges]) => [name, [...privileges]])))
  const changed = [...new Set([...wanted.keys(), ...held.keys()])].filter(
    (name) => sorted(wanted.get(name)) !== sorted(held.get(name)),
  )
  for (const name of changed) {
    const privileges = wanted.get(name)
    await send(() => (privileges === undefined ? memory.roles.delete(name) : memory.roles.set(name, privileges)))
  }
  return { outcome: 'aligned' as const, changes: changed.map((name) => `make ${name} what is configured`) }
}

const sorted = (privileges: Iterable<string> | undefined): string =>
  privileges === undefined ? 'absent' : JSON.stringify([...privileges].toSorted())

type Opening = { readonly lease: Lease; readonly target: Wiring['target']; readonly send: Send }

async function makeLogin(memory: MemoryTarget, { lease, target, send }: Opening): Promise<Credential> {
  const { grant, role, expiresAt } = lease
  const secret = Buffer.from(target.random(32)).toString('base64url')
  await send(() => memory.logins.set(grant, { role, secret, expiresAt, shut: false }))
  return {
    kind: 'postgres-login',
    host: 'memory',
    port: 0,
    databases: [target.config.name],
    user: grant,
    secret,
    tls: 'disable',
    expiresAt,
  }
}

async function takeAway(
  memory: MemoryTarget,
  { grant, send }: { readonly grant: GrantId; readonly send: Send },
): Promise<CloseOutcome> {
  const existed = await send(() => shut(memory, grant))
  const ended = await send(() => endSessions(memory, grant))
  await send(() => handOver(memory, grant))
  await send(() => memory.logins.delete(grant))
  const gone = await send(() => !memory.logins.has(grant) && sessionsOf(memory, grant).length === 0)
  if (!gone) throw new Error('the login is there again')
  return { outcome: 'closed', existed, sessionsEnded: ended }
}

function shut({ logins }: MemoryTarget, grant: GrantId): boolean {
  const login = logins.get(grant)
  if (login !== undefined) login.shut = true
  return login !== undefined
}

function moveEnd({ logins }: MemoryTarget, { grant, expiresAt }: Pick<Lease, 'grant' | 'expiresAt'>): void {
  const login = logins.get(grant)
  if (login !== undefined) logins.set(grant, { ...login, expiresAt })
}

const sessionsOf = ({ sessions }: MemoryTarget, grant: GrantId): readonly MemorySession[] =>
  [...sessions].filter((session) => session.grant === grant)

function endSessions(memory: MemoryTarget, grant: GrantId): number {
  const ended = sessionsOf(memory, grant)
  for (const session of ended) {
    memory.sessions.delete(session)
    session.end()
  }
  return ended.length
}

function handOver({ owners }: MemoryTarget, grant: GrantId): void {
  for (const [thing, owner] of owners) if (owner === grant) owners.set(thing, heir)
}

const listLogins = (memory: MemoryTarget) =>
  [...memory.logins].map(([grant, { expiresAt }]) => ({
    grant,
    login: grant,
    expiresAt: instant(expiresAt),
    sessions: sessionsOf(memory, grant).length,
  }))

const listStanding = ({ standing }: MemoryTarget) =>
  [...standing].map(
    (holder) => ({ holder, kind: 'superuser', what: 'superuser', risk: 'admin', canLogin: true }) as const,
  )
