/** Who may break glass, for what, and how they have to have proved who they are. Configuration names each of them. */

import type { AccessRequest, Authentication, Millis, Principal } from '@tidegate/core'
import { formatDuration } from '@tidegate/core'
import { readMember } from '../configuration/membership.ts'
import type { DeclaredBreakGlass } from '../configuration/schema.ts'
import type { Snapshot } from '../configuration/snapshot.ts'

type Proof = DeclaredBreakGlass['proof']

const proves: Record<Proof, (authentication: Authentication) => boolean> = {
  'phishing-resistant': ({ phishingResistant }) => phishingResistant,
  mfa: ({ mfa, phishingResistant }) => mfa || phishingResistant,
  any: () => true,
}

/** What a stronger sign-in has to prove. Absent: any will do. */
export type Wanted = Exclude<Proof, 'any'>

const proofWords: Record<Wanted, string> = {
  'phishing-resistant': 'with a passkey or a security key',
  mfa: 'with a second factor',
}

/** By themselves, or by a group they are in now. */
export const isOneOf = (principal: Principal, people: readonly string[]): boolean =>
  principal.kind === 'user' &&
  people
    .map(readMember)
    .some(({ kind, id }) => (kind === 'group' ? principal.groups.includes(id) : principal.id === id))

type OfRole = Pick<AccessRequest, 'action' | 'resource' | 'role'>

/** What was had by breaking glass is had for as long as configuration, as it is today, registers that person and role. */
export const isUnregistered = (
  { action, resource, role }: OfRole,
  principal: Principal,
  { declared: { breakGlass } }: Snapshot,
): boolean =>
  action === 'break-glass' &&
  !(breakGlass && isOneOf(principal, breakGlass.people) && breakGlass.roles.includes(`${resource}/${role}`))

/** Why someone does not break glass: for the log, and in words for them. */
export type Refusal = {
  readonly cause: 'not-registered' | 'role-not-listed' | 'weak-proof' | 'too-long' | 'unreviewed' | 'policy'
  readonly detail: string
  /** This alone is in the way, as far as registration goes. */
  readonly need?: Wanted
}

type Use = {
  readonly principal: Principal
  readonly authentication: Authentication
  readonly role: string
  readonly duration: Millis
}

/** What configuration says against it; `undefined`: nothing. Policy is asked besides. */
export function registrationRefusal(
  { declared: { breakGlass } }: Snapshot,
  { principal, authentication, role, duration }: Use,
): Refusal | undefined {
  if (!breakGlass || !isOneOf(principal, breakGlass.people))
    return { cause: 'not-registered', detail: `You are not registered for it. Ask instead: tidegate request ${role}.` }
  if (!breakGlass.roles.includes(role))
    return {
      cause: 'role-not-listed',
      detail: `It is there for ${breakGlass.roles.join(', ')}. Ask instead: tidegate request ${role}.`,
    }
  if (duration > breakGlass.longest)
    return {
      cause: 'too-long',
      detail: `${formatDuration(duration)} is too long: ask for ${formatDuration(breakGlass.longest)} at most.`,
    }
  const { proof } = breakGlass
  if (proof !== 'any' && !proves[proof](authentication))
    return { cause: 'weak-proof', detail: `Sign in ${proofWords[proof]} first.`, need: proof }
  return undefined
}
