/** Who there is: what configuration declares, and whom its sources know besides. */

import type { Agent, Instant, Principal, PrincipalRef, User } from '@tidegate/core'
import { parsePrincipalKey, principalKey } from '@tidegate/core'
import { groupsAbove } from '../configuration/membership.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Reader } from '../store/database.ts'
import type { Known } from './directory/read.ts'
import { nobody, readDirectory } from './directory/read.ts'

/** The first administrator exists before any configuration does, and in every one that does not declare that id. */
export const firstAdministrator: PrincipalRef = { kind: 'user', id: 'admin' }

export const isAdministrator = (principal: Principal, snapshot: Snapshot): boolean =>
  principal.kind === 'user' && principal.groups.includes(snapshot.declared.settings.administrators)

type Wanted = { readonly snapshot: Snapshot; readonly refs: readonly PrincipalRef[]; readonly now: Instant }

/** By principal key, as they are today: groups, manager, and whether they are still there. */
export type Principals = ReadonlyMap<string, Principal>

/** Who is not there, not any more, or not active, is not found. An agent is not there without its user. */
export type FindPrincipals = (reader: Reader, wanted: Wanted) => Promise<Principals>

export const findPrincipals: FindPrincipals = async (reader, { snapshot, refs, now }) => {
  const people = [...new Set(refs.flatMap((ref) => personOf(snapshot, ref)))]
  const known = await readDirectory(reader, { identity: snapshot.declared.identity, people, now })
  const found = new Map<string, Principal>()
  for (const ref of refs) {
    const principal = principalOf(snapshot, ref, known)
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

/** The agents that act for a person: what holds for the one holds for them. */
export const agentsOf = ({ declared }: Snapshot, user: string): PrincipalRef[] =>
  declared.agents.filter((agent) => agent.user === user).map(({ id }) => ({ kind: 'agent', id }))

/** Principal keys of someone, and of all who act for them. */
export function actingFor(snapshot: Snapshot, subject: string): string[] {
  const ref = parsePrincipalKey(subject)
  return ref?.kind === 'user' ? [subject, ...agentsOf(snapshot, ref.id).map(principalKey)] : [subject]
}

/** The id of the person about whom the directory has to be asked. */
function personOf(snapshot: Snapshot, { kind, id }: PrincipalRef): string[] {
  if (kind === 'user') return [id]
  if (kind === 'service') return []
  const user = declaredAgent(snapshot, id)?.user
  return user === undefined ? [] : [user]
}

function declaredAgent(snapshot: Snapshot, id: string): { readonly user: string } | undefined {
  const whole = snapshot.principals.get(`agent:${id}`)
  if (whole?.kind === 'agent') return { user: whole.user.id }
  return snapshot.declared.agents.find((agent) => agent.id === id)
}

function principalOf(snapshot: Snapshot, ref: PrincipalRef, known: Known): Principal | undefined {
  switch (ref.kind) {
    case 'user':
      return userOf(snapshot, ref.id, known)
    case 'service':
      return snapshot.principals.get(principalKey(ref))
    case 'agent':
      return agentOf(snapshot, ref.id, known)
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

function agentOf(snapshot: Snapshot, id: string, known: Known): Agent | undefined {
  const declared = declaredAgent(snapshot, id)
  const user = declared && userOf(snapshot, declared.user, known)
  if (!user) return undefined
  return { kind: 'agent', id, groups: groupsAbove([`agent:${id}`], snapshot.parents), user }
}
