/** The configurations that a history moves between: what is asked for, who approves, and where the targets are. */

import { createHash } from 'node:crypto'

export type Files = { path: string; text: string }[]

export const people = ['alice', 'bob', 'carol', 'dora', 'erin'] as const
export const askers = ['user:alice', 'user:bob', 'user:carol', 'service:ci', 'agent:helper'] as const
/** The user who stands behind it; who approves what it asks for approves their own. */
export const personBehind: Readonly<Record<string, string>> = {
  'user:alice': 'alice',
  'user:bob': 'bob',
  'user:carol': 'carol',
  'user:dora': 'dora',
  'user:erin': 'erin',
  'service:ci': 'carol',
  'agent:helper': 'alice',
}

export const targetNames = ['orders', 'ledger', 'ledger-b'] as const
export const roles = ['orders/read', 'orders/write', 'orders/admin', 'ledger/read', 'ledger/write'] as const
export const administrationRoles = ['tidegate/auditor', 'tidegate/policy-author', 'tidegate/owner'] as const

/** One token for each principal, the same in every history. */
export const tokenOf = (principal: string): string =>
  `tdg_${createHash('sha256').update(`token of ${principal}`).digest('base64url')}`
const hashOf = (principal: string): string => `sha256:${createHash('sha256').update(tokenOf(principal)).digest('hex')}`

/** What a variant differs in from the first. Absent: nothing. */
export type Variant = {
  readonly about: string
  readonly engineers?: readonly string[]
  readonly leads?: readonly string[]
  /** `undefined`: there is no such resource. */
  readonly ledger?: { readonly target: string } | undefined
  readonly ordersRoles?: readonly string[]
  readonly readMinutes?: number
  readonly writeMinutes?: number
  readonly readNeedsLead?: boolean
  readonly noWriting?: boolean
  readonly writePrivileges?: readonly string[]
  readonly fourEyes?: boolean
  readonly administrators?: readonly string[]
  /** Policy gives roles of Tidegate to nobody. */
  readonly noAdministering?: boolean
  readonly glassPeople?: readonly string[]
  readonly glassRoles?: readonly string[]
  readonly reviewers?: readonly string[]
  /** Policy lists nothing for it, whoever is registered. */
  readonly noGlass?: boolean
}

const engineers = ['alice', 'bob', 'carol', 'service:ci', 'agent:helper']
const leads = ['carol', 'dora', 'erin']
export const administrators = ['dora', 'erin']
const glassPeople = ['alice', 'bob']
const glassRoles = ['orders/admin', 'ledger/write', 'tidegate/owner']
const reviewers = ['carol', 'erin']

export const variants: readonly Variant[] = [
  { about: 'as at the beginning' },
  { about: 'shorter grants', readMinutes: 10, writeMinutes: 5 },
  { about: 'nobody writes', noWriting: true },
  { about: 'the ledger is elsewhere', ledger: { target: 'ledger-b' } },
  { about: 'alice and her agent are no engineers', engineers: ['bob', 'carol', 'service:ci'] },
  { about: 'carol is no lead', leads: ['dora', 'erin'] },
  { about: 'there is no ledger', ledger: undefined },
  { about: 'orders has no writers', ordersRoles: ['read', 'admin'] },
  { about: 'reading takes a lead', readNeedsLead: true },
  { about: 'writers may delete', writePrivileges: ['select', 'insert', 'delete'] },
  { about: 'changes take two people', fourEyes: true },
  { about: 'nobody writes, and changes take two people', noWriting: true, fourEyes: true },
  { about: 'nobody is given a role of Tidegate', noAdministering: true },
  { about: 'bob breaks no glass, and erin reviews alone', glassPeople: ['alice'], reviewers: ['erin'] },
  { about: 'glass is broken for Tidegate alone', glassRoles: ['tidegate/owner'] },
  { about: 'policy lists nothing to break glass for', noGlass: true },
]

/** Nobody could change these back: they are refused. */
export const lockouts: readonly Variant[] = [
  { about: 'nobody administers', administrators: [] },
  { about: 'changes take two people, and there is one', fourEyes: true, administrators: ['erin'] },
]

/** Those that may come into force stand first: a version is known by its place in here. */
export const everyVariant: readonly Variant[] = [...variants, ...lockouts]

/** Filled in with what the first one says. */
export function fullVariant(index: number) {
  const variant = everyVariant[index] ?? {}
  return {
    engineers,
    leads,
    ledger: { target: 'ledger' },
    ordersRoles: ['read', 'write', 'admin'],
    readMinutes: 30,
    writeMinutes: 20,
    readNeedsLead: false,
    noWriting: false,
    writePrivileges: ['select', 'insert'],
    fourEyes: false,
    administrators,
    noAdministering: false,
    glassPeople,
    glassRoles,
    reviewers,
    noGlass: false,
    ...variant,
  }
}

export const adminMinutes = 15
/** How long a role of Tidegate is given for. */
export const administrationMinutes: Readonly<Record<string, number>> = { auditor: 15, 'policy-author': 10, owner: 10 }
export const glassMinutes = 20
export const reviewMinutes = 40
export const ownersOfOrders = ['dora', 'bob']
export const managerOf: Readonly<Record<string, string>> = { alice: 'dora', bob: 'erin' }

const privileges: Readonly<Record<string, readonly string[]>> = {
  read: ['select'],
  admin: ['select', 'insert', 'drop'],
}
const risk: Readonly<Record<string, string>> = { read: 'low', write: 'elevated', admin: 'admin' }

export type Full = ReturnType<typeof fullVariant>

/** Configuration registers nothing that is not there. */
export const glassRolesOf = ({ ledger, glassRoles }: Full): readonly string[] =>
  glassRoles.filter((role) => ledger !== undefined || !role.startsWith('ledger/'))

export const breaksGlass = (variant: Full, person: string, role: string): boolean =>
  variant.glassPeople.includes(person) && glassRolesOf(variant).includes(role)

export function filesOf(index: number): Files {
  const variant = fullVariant(index)
  return [
    { path: 'people.yaml', text: peopleYaml(variant) },
    { path: 'resources.yaml', text: resourcesYaml(variant) },
    { path: 'access.cedar', text: policies(variant) },
  ]
}

/** As the server has it in `configuration_version`. */
export function hashOfFiles(files: Files): string {
  const hash = createHash('sha256')
  for (const { path, text } of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    for (const part of [path, text]) hash.update(`${Buffer.byteLength(part)}:`).update(part)
  }
  return hash.digest('hex')
}

const tokenLine = (principal: string): string =>
  `tokens: [{ hash: '${hashOf(principal)}', expires: '2099-01-01T00:00:00Z' }]`

const peopleYaml = (variant: Full): string => `
settings: { administrators: admins, firstAdministrator: retired, fourEyes: ${variant.fourEyes}, requestTimeout: 2h, activationWindow: 1h }
users:
${people
  .map(
    (id) =>
      `  - { id: ${id}, ${managerOf[id] === undefined ? '' : `manager: ${managerOf[id]}, `}${tokenLine(`user:${id}`)} }`,
  )
  .join('\n')}
services:
  - { id: ci, owner: carol, ${tokenLine('service:ci')} }
  - { id: watch, signals: [device, ticket], ${tokenLine('service:watch')} }
agents:
  - { id: helper, user: alice, ${tokenLine('agent:helper')} }
groups:
  - { id: engineers, members: [${variant.engineers.join(', ')}] }
  - { id: leads, members: [${variant.leads.join(', ')}] }
  - { id: orders-team, members: [${ownersOfOrders.join(', ')}] }
  - { id: admins, members: [${variant.administrators.join(', ')}] }
  - { id: reviewers, members: [${variant.reviewers.join(', ')}] }
breakGlass:
  people: [${variant.glassPeople.join(', ')}]
  roles: [${glassRolesOf(variant).join(', ')}]
  longest: ${glassMinutes}m
  proof: any
  review: { by: reviewers, within: ${reviewMinutes}m }
  notify: [leads]
`

const roleYaml = (name: string, variant: Full): string =>
  `      - { name: ${name}, risk: ${risk[name]}, privileges: [${(privileges[name] ?? variant.writePrivileges).join(', ')}] }`

const resourcesYaml = (variant: Full): string => `
resources:
  - id: orders
    kind: memory
    labels: { env: production }
    owner: orders-team
    connection: { name: orders }
    roles:
${variant.ordersRoles.map((name) => roleYaml(name, variant)).join('\n')}
${
  variant.ledger === undefined
    ? ''
    : `  - id: ledger
    kind: memory
    labels: { env: production }
    whenUnreachable: wait
    connection: { name: ${variant.ledger.target} }
    roles:
${['read', 'write'].map((name) => roleYaml(name, variant)).join('\n')}`
}
`

const policies = (variant: Full): string => `
@id("engineers-read") ${variant.readNeedsLead ? '@approvers("leads") ' : ''}@max_duration("${variant.readMinutes}m")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"env=production")
when { resource.risk == "low" };
${
  variant.noWriting
    ? ''
    : `
@id("writing-takes-two-leads") @approvers("leads") @approvals("2") @max_duration("${variant.writeMinutes}m")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"env=production")
when { resource.risk == "elevated" };
`
}
@id("admin-takes-manager-and-owner-and-a-ticket") @stages("manager:1, owner:1") @max_duration("${adminMinutes}m")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"env=production")
when { resource.risk == "admin" && context has ticket && context.ticket.open };

@id("not-from-bad-devices")
forbid (principal, action, resource)
when { context has device && !context.device.compliant };
${variant.noAdministering ? '' : administering}${variant.noGlass ? '' : glass}`

const administering = `
@id("who-audits") @max_duration("${administrationMinutes['auditor']}m")
permit (principal in Group::"engineers", action == Action::"access", resource == Role::"tidegate/auditor");

@id("who-writes-policy") @approvers("leads") @max_duration("${administrationMinutes['policy-author']}m")
permit (principal in Group::"engineers", action == Action::"access", resource == Role::"tidegate/policy-author");

@id("who-owns") @approvers("owner") @max_duration("${administrationMinutes['owner']}m")
permit (principal in Group::"engineers", action == Action::"access", resource == Role::"tidegate/owner");
`

const glass = `
@id("glass") @max_duration("${glassMinutes}m")
permit (principal, action == Action::"break-glass", resource in Label::"env=production");

@id("glass-for-tidegate") @max_duration("${administrationMinutes['owner']}m")
permit (principal, action == Action::"break-glass", resource == Role::"tidegate/owner");
`
