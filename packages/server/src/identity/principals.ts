/** Who there is: what configuration declares, and whom its sources know besides. */

import type { Agent, Instant, Principal, PrincipalRef, User } from '@tidegate/core'
import { mostAgents, principalKey } from '@tidegate/core'
import { groupsAbove } from '../configuration/membership.ts'
import { actsForRef } from '../configuration/service-rules.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Reader } from '../store/database.ts'
import { killedAmong } from './agents/killed.ts'
import type { Known } from './directory/read.ts'
import { nobody, readDirectory } from './directory/read.ts'

/** The first administrator exists before any configuration does, and in every one that does not declare that id. */
export const firstAdministrator: PrincipalRef = { kind: 'user', id: 'admin' }

export const isAdministrator = (principal: Principal, snapshot: Snapshot): boolean =>
  principal.kind === 'user' && principal.groups.includes(snapshot.declared.settings.administrators)

type Wanted = { readonly snapshot: Snapshot; readonly refs: readonly PrincipalRef[]; readonly now: Instant }

/** By principal key, as they are today: groups, manager, and whether they are still there. */
export type Principals = ReadonlyMap<string, Principal>

/**
 * Who is not there, not any more, or not active, is not found. An agent is not there without all that it acts for, nor
 * once it was killed.
 */
export type FindPrincipals = (reader: Reader, wanted: Wanted) => Promise<Principals>

export const findPrincipals: FindPrincipals = async (reader, { snapshot, refs, now }) => {
  const chains = new Map(refs.flatMap((ref) => chainOfRef(snapshot, ref)).map((ref) => [principalKey(ref), ref]))
  const idsOf = (kind: PrincipalRef['kind']): string[] =>
    [...chains.values()].filter((ref) => ref.kind === kind).map(({ id }) => id)
  const [known, killed] = await Promise.all([
    readDirectory(reader, { identity: snapshot.declared.identity, people: idsOf('user'), now }),
    killedAmong(reader, idsOf('agent')),
  ])
  const found = new Map<string, Principal>()
  for (const ref of refs) {
    const principal = principalOf(snapshot, ref, { known, killed })
    if (principal) found.set(principalKey(ref), principal)
  }
  return found
}

export async function findPrincipal(
  find: FindPrincipals,
  reader: Reader,
  { snapshot, ref, now }: Omit<Wanted, 'refs'> & { readonly ref: PrincipalRef },
): Promise<Principal | undefined> {
  return (await find(reader, { snapshot, refs: [ref], now })).get(principalKey(ref))
}

/** Principal keys of someone, and of all agents that act for them, through others or not. */
export function actingFor(snapshot: Snapshot, subject: string): string[] {
  const found = [subject]
  for (const key of found) {
    const next = snapshot.declared.agents
      .filter((agent) => principalKey(actsForRef(agent)) === key)
      .map(({ id }) => `agent:${id}`)
    found.push(...next.filter((one) => !found.includes(one)))
  }
  return found
}

/** Itself, and whom it acts for, as far as they are declared. Configuration has no circles; this ends in any case. */
function chainOfRef(snapshot: Snapshot, ref: PrincipalRef): PrincipalRef[] {
  const chain = [ref]
  for (let last: PrincipalRef | undefined = ref; last?.kind === 'agent' && chain.length <= mostAgents;) {
    last = declaredActsFor(snapshot, last.id)
    if (last) chain.push(last)
  }
  return chain
}

function declaredActsFor(snapshot: Snapshot, id: string): PrincipalRef | undefined {
  const whole = snapshot.principals.get(`agent:${id}`)
  if (whole?.kind === 'agent') return { kind: whole.actsFor.kind, id: whole.actsFor.id }
  const agent = snapshot.declared.agents.find((one) => one.id === id)
  return agent && actsForRef(agent)
}

type Today = { readonly known: Known; readonly killed: ReadonlySet<string> }

function principalOf(snapshot: Snapshot, ref: PrincipalRef, today: Today): Principal | undefined {
  switch (ref.kind) {
    case 'user':
      return userOf(snapshot, ref.id, today.known)
    case 'service':
      return snapshot.principals.get(principalKey(ref))
    case 'agent':
      return agentOf(snapshot, ref.id, today)
  }
}

/** Configuration says who someone is; a source adds its groups, and can only take them out of everything. */
function userOf(snapshot: Snapshot, id: string, known: Known): User | undefined {
  const { person, groups } = known.get(id) ?? nobody
  if (person && !person.active) return undefined
  const declared = declaredUser(snapshot, id)
  if (!declared && !person) return undefined
  if (declared && groups.length === 0) return declared
  const keys = [`user:${id}`, ...groups.map((group) => `group:${group}`)]
  const all = [...new Set([...(declared?.groups ?? []), ...groups, ...groupsAbove(keys, snapshot.parents)])].toSorted()
  return { kind: 'user', ...(declared ?? { id, ...person?.about }), groups: all }
}

function declaredUser(snapshot: Snapshot, id: string): User | undefined {
  const declared = snapshot.principals.get(`user:${id}`)
  if (declared?.kind === 'user') return declared
  if (id !== firstAdministrator.id) return undefined
  return { kind: 'user', id, groups: [snapshot.declared.settings.administrators] }
}

function agentOf(snapshot: Snapshot, id: string, today: Today): Agent | undefined {
  if (today.killed.has(id)) return undefined
  const ref = declaredActsFor(snapshot, id)
  const actsFor = ref && principalOf(snapshot, ref, today)
  if (!actsFor) return undefined
  return { kind: 'agent', id, groups: groupsAbove([`agent:${id}`], snapshot.parents), actsFor }
}
