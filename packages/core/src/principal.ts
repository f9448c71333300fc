/** Who asks: a person, a workload, or an AI agent that acts for one of them. */

export type PrincipalKind = 'user' | 'service' | 'agent'

export type PrincipalRef = { readonly kind: PrincipalKind; readonly id: string }

type Common = {
  readonly id: string
  /** Ids of every group the principal is in, nested ones resolved. */
  readonly groups: readonly string[]
}

export type User = Common & {
  readonly kind: 'user'
  readonly name?: string
  readonly email?: string
  /** Id of the user that `manager` in `@approvers` means; absent: no one can approve as manager. */
  readonly manager?: string
}

export type Service = Common & {
  readonly kind: 'service'
  /** The user who answers for it, and therefore may not approve what it asks for. */
  readonly owner?: string
}

export type Agent = Common & {
  readonly kind: 'agent'
  /** Whom it acts for. It is permitted only what all of its chain are permitted. */
  readonly actsFor: Principal
}

export type Principal = User | Service | Agent

/** So many agents stand in a chain at most. */
export const mostAgents = 3

/** Itself, and after it whoever it acts for, up to the user or service that is not an agent. */
export const chainOf = (principal: Principal): readonly Principal[] =>
  principal.kind === 'agent' ? [principal, ...chainOf(principal.actsFor)] : [principal]

/** `user:alice`; the form used in state, entries and messages. */
export const principalKey = (principal: PrincipalRef): string => `${principal.kind}:${principal.id}`

const keyForm = /^(user|service|agent):(.+)$/

export function parsePrincipalKey(key: string): PrincipalRef | undefined {
  const match = keyForm.exec(key)
  return match ? { kind: match[1] as PrincipalKind, id: match[2] as string } : undefined
}

/** The people who stand behind a principal: whoever of them approves its request approves their own. */
export function peopleBehind(principal: Principal): readonly string[] {
  switch (principal.kind) {
    case 'user':
      return [principal.id]
    case 'service':
      return principal.owner === undefined ? [] : [principal.owner]
    case 'agent':
      return peopleBehind(principal.actsFor)
  }
}
