/** What access is given to, and the roles on it. */

export const risks = ['low', 'elevated', 'admin'] as const
export type Risk = (typeof risks)[number]

/** What to do when the target cannot be reached while a grant is being opened. */
export type WhenUnreachable = 'fail' | 'wait'

/** `required`: nobody but a gateway gets the target's credentials. */
export type WayToTarget = 'none' | 'required'

export type Resource = {
  readonly id: string
  /** Which connector opens it, for example `postgres`. */
  readonly kind: string
  /** Sorted by key; `{ env: 'production' }` is `Label::"env=production"` in policy. */
  readonly labels: Readonly<Record<string, string>>
  /** Id of the group whose members `owner` in `@approvers` means; absent: no one can approve as owner. */
  readonly owner?: string
  readonly whenUnreachable: WhenUnreachable
  /** Only a gateway can hold sessions to anything. */
  readonly gateway: WayToTarget
}

export type Role = {
  readonly resource: string
  readonly name: string
  readonly risk: Risk
}

/** `orders-db/readonly`, the way people and policies write a role. */
export const roleKey = (role: Pick<Role, 'resource' | 'name'>): string => `${role.resource}/${role.name}`

export const labelKeys = (resource: Pick<Resource, 'labels'>): string[] =>
  Object.entries(resource.labels).map(([key, value]) => `${key}=${value}`)
