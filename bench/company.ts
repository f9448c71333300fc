/**
 * A company to decide about: a hundred teams with their people, services and databases, and policies as such a place
 * writes them, some for all, most for a team. Everything follows from numbers, so that each run has the same one.
 */

import type { SourceFile } from '../packages/server/src/configuration/snapshot.ts'
import { numbers } from './harness.ts'

export const company = {
  teams: 100,
  peopleOfTeam: 20,
  resourcesOfTeam: 50,
  servicesOfTeam: 5,
  policies: 1_000,
} as const

export const teamName = (team: number): string => `team-${String(team).padStart(2, '0')}`
export const personName = (team: number, person: number): string => `${teamName(team)}-person-${person}`
export const resourceName = (team: number, resource: number): string => `${teamName(team)}-db-${resource}`
const serviceName = (team: number, resource: number): string =>
  `${teamName(team)}-svc-${resource % company.servicesOfTeam}`

export const roleRisks = { readonly: 'low', writer: 'elevated', maintainer: 'admin' } as const

const teams = numbers(company.teams)

export const companyFiles = (): SourceFile[] => [
  { path: 'people.yaml', text: people() },
  ...teams.map((team) => ({ path: `${teamName(team)}/resources.yaml`, text: resources(team) })),
  ...teams.map((team) => ({ path: `${teamName(team)}/access.cedar`, text: teamPolicies(team).join('\n') })),
  { path: 'access.cedar', text: commonPolicies().join('\n') },
]

function people(): string {
  const everyone = teams.flatMap((team) => numbers(company.peopleOfTeam).map((person) => ({ team, person })))
  const users = everyone.map(
    ({ team, person }) => `  - { id: ${personName(team, person)}, manager: ${personName(team, 0)} }`,
  )
  const groups = teams.flatMap((team) => {
    const members = numbers(company.peopleOfTeam).map((person) => personName(team, person))
    return [
      `  - { id: ${teamName(team)}, members: [${members.join(', ')}] }`,
      `  - { id: ${teamName(team)}-oncall, members: [${members.slice(1, 3).join(', ')}] }`,
    ]
  })
  const all = (name: string, members: readonly string[]): string =>
    `  - { id: ${name}, members: [${members.join(', ')}] }`
  return [
    'settings: { administrators: platform, timeZone: Europe/Berlin }',
    'users:',
    ...users,
    'groups:',
    ...groups,
    all(
      'engineers',
      teams.map((team) => `group:${teamName(team)}`),
    ),
    all(
      'leads',
      teams.map((team) => personName(team, 0)),
    ),
    all(
      'contractors',
      teams.flatMap((team) => [personName(team, 18), personName(team, 19)]),
    ),
    all(
      'platform',
      numbers(10).map((person) => personName(0, person)),
    ),
    '',
  ].join('\n')
}

const environments = ['production', 'production', 'staging', 'development'] as const

function resources(team: number): string {
  const rows = numbers(company.resourcesOfTeam).map((resource) => {
    const env = environments[resource % environments.length]
    return `
  - id: ${resourceName(team, resource)}
    kind: postgres
    labels: { env: ${env}, team: ${teamName(team)}, service: ${serviceName(team, resource)}, tier: t${resource % 3} }
    owner: ${teamName(team)}
    connection:
      host: ${resourceName(team, resource)}.internal
      databases: [app]
      user: tidegate_admin
      password: env:DB_PASSWORD
      owner: app_owner
    roles:
${Object.entries(roleRisks).map(roleText).join('\n')}`
  })
  return `resources:${rows.join('')}\n`
}

const roleText = ([name, risk]: readonly [string, string]): string =>
  `      - { name: ${name}, risk: ${risk}, privileges: [{ schema: public, tables: '*', privileges: [select] }] }`

type Written = {
  readonly id: string
  readonly annotations?: string
  readonly effect?: 'permit' | 'forbid'
  readonly who?: string
  readonly what?: string
  readonly when?: string
}

function policy({ id, annotations = '', effect = 'permit', who, what, when }: Written): string {
  const principal = who === undefined ? 'principal' : `principal in Group::"${who}"`
  const resource = what === undefined ? 'resource' : `resource in Label::"${what}"`
  const condition = when === undefined ? '' : `\nwhen { ${when} }`
  return `@id("${id}") ${annotations}\n${effect} (${principal}, action == Action::"access", ${resource})${condition};\n`
}

const production = 'resource in Label::"env=production"'
const withTicket = 'context has ticket && context.ticket.open'

/** Nine of each team. */
function teamPolicies(team: number): string[] {
  const name = teamName(team)
  const own = `team=${name}`
  const neighbour = teamName((team + 1) % company.teams)
  const service = (n: number): string => `service=${serviceName(team, n)}`
  return [
    { id: `${name}-reads`, annotations: '@max_duration("8h")', who: name, what: own, when: 'resource.risk == "low"' },
    {
      id: `${name}-writes-outside-production`,
      annotations: '@max_duration("4h")',
      who: name,
      what: own,
      when: `resource.risk == "elevated" && !(${production})`,
    },
    {
      id: `${name}-writes-production`,
      annotations: '@approvers("owner") @max_duration("2h")',
      who: name,
      what: own,
      when: `resource.risk == "elevated" && ${production} && ${withTicket}`,
    },
    {
      id: `${name}-oncall`,
      annotations: '@max_duration("1h")',
      who: `${name}-oncall`,
      what: own,
      when: 'resource.risk != "admin" && context has oncall && context.oncall.active',
    },
    {
      id: `${name}-administers`,
      annotations: '@stages("manager:1, owner:1") @max_duration("1h")',
      who: name,
      what: own,
      when: `resource.risk == "admin" && ${withTicket}`,
    },
    {
      id: `${name}-is-read-by-leads`,
      annotations: '@approvers("owner") @max_duration("1h")',
      who: 'leads',
      what: own,
      when: 'resource.risk == "low"',
    },
    { id: `${name}-is-read-by-${neighbour}`, who: neighbour, what: service(0), when: 'resource.risk == "low"' },
    {
      id: `${name}-is-mended-by-${neighbour}`,
      annotations: '@approvers("owner")',
      who: neighbour,
      what: service(1),
      when: `resource.risk == "elevated" && ${withTicket}`,
    },
    {
      id: `${name}-not-by-contractors`,
      annotations: `@advice("Ask someone of ${name}.")`,
      effect: 'forbid' as const,
      who: 'contractors',
      what: own,
      when: `resource.risk != "low" && ${production}`,
    },
  ].map(policy)
}

/** The rest, for everyone: what must never be, and hours and places of single services. */
function commonPolicies(): string[] {
  const forAll: Written[] = [
    {
      id: 'not-from-devices-known-bad',
      annotations: '@advice("Fix the device, or use another.")',
      effect: 'forbid',
      what: 'env=production',
      when: 'context has device && !context.device.compliant',
    },
    { id: 'not-at-high-risk', effect: 'forbid', when: 'context has risk && context.risk.level == "high"' },
    { id: 'no-admin-for-long', effect: 'forbid', when: 'resource.risk == "admin" && context.duration > 14400' },
    {
      id: 'platform-reads-everything',
      annotations: '@max_duration("1h")',
      who: 'platform',
      when: 'resource.risk == "low"',
    },
  ]
  const rest = company.policies - company.teams * teamPolicies(0).length - forAll.length
  const quietHours = numbers(rest).map((n): Written => {
    const service = serviceName(n % company.teams, 2)
    return {
      id: `quiet-hours-of-${service}`,
      effect: 'forbid',
      what: `service=${service}`,
      when: 'resource.risk == "elevated" && context.time.weekday > 5 && context.time.hour < 6',
    }
  })
  return [...forAll, ...quietHours].map(policy)
}
