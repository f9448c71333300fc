/** What has to be so of workloads and agents: whom to believe is said by ids, and whom an agent acts for has an end. */

import type { FieldProblem } from '@tidegate/api'
import { mostAgents } from '@tidegate/core'
import type { PrincipalRef } from '@tidegate/core'
import { platformNames, platformOf } from '../identity/services/platforms.ts'
import type { Path, ReadFile } from './read.ts'
import type { DeclaredAgent, DeclaredIssuer, DeclaredProvider, DeclaredService, DeclaredTrust } from './schema.ts'

/** Whom it acts for. The schema has seen to there being exactly one. */
export function actsForRef({ user, service, agent }: DeclaredAgent): PrincipalRef {
  if (user !== undefined) return { kind: 'user', id: user }
  if (service !== undefined) return { kind: 'service', id: service }
  return { kind: 'agent', id: agent ?? '' }
}

export function serviceProblems(files: readonly ReadFile[]): FieldProblem[] {
  const issuers = files.flatMap(({ declared }) => declared.identity?.issuers ?? [])
  const providers = files.flatMap(({ declared }) => declared.identity?.providers ?? [])
  return [
    ...files.flatMap(issuerProblems),
    ...files.flatMap(({ declared, at }) =>
      declared.services.flatMap((service, index) => [
        ...trustProblems(service, { issuers, providers, at: (path) => at(['services', index, ...path]) }),
        ...keyProblems(service, (path) => at(['services', index, ...path])),
      ]),
    ),
    ...agentProblems(files),
  ]
}

type At = (path: Path) => string

function issuerProblems({ declared, at }: ReadFile): FieldProblem[] {
  const problems: FieldProblem[] = []
  const ids = new Set<string>()
  const taken = new Map<string, string>()
  for (const [index, { id, issuer, platform, keys }] of (declared.identity?.issuers ?? []).entries()) {
    const path = ['identity', 'issuers', index]
    if (ids.has(id))
      problems.push({ field: at([...path, 'id']), message: `${id} is declared twice.`, remedy: 'Keep one.' })
    ids.add(id)
    const other = taken.get(issuer)
    taken.set(issuer, id)
    const field = at([...path, 'issuer'])
    if (other !== undefined)
      problems.push({ field, message: `${issuer} is ${other} already.`, remedy: 'Declare each issuer once.' })
    const known = platformNames.find((name) => platformOf(name).issuers?.test(issuer))
    if (known !== undefined && known !== platform) {
      const message = `${issuer} is ${platformOf(known).about}.`
      problems.push({ field: at([...path, 'platform']), message, remedy: `Write platform: ${known}.` })
    }
    if (!issuer.startsWith('spiffe://')) continue
    if (platform !== 'spiffe')
      problems.push({ field, message: 'Only a SPIFFE trust domain is called so.', remedy: 'Write platform: spiffe.' })
    if (keys === undefined) {
      const remedy = 'Write where its bundle is: keys: https://… or keys: file:PATH.'
      problems.push({ field, message: 'A trust domain does not say where its keys are.', remedy })
    }
  }
  return problems
}

type Trusting = {
  readonly issuers: readonly DeclaredIssuer[]
  readonly providers: readonly DeclaredProvider[]
  readonly at: At
}

function trustProblems({ trust }: DeclaredService, { issuers, providers, at }: Trusting): FieldProblem[] {
  return trust.flatMap((rule, index) => {
    const here: At = (path) => at(['trust', index, ...path])
    const issuer = issuers.find(({ id }) => id === rule.issuer)
    if (!issuer) {
      const message = `There is no issuer ${rule.issuer}.`
      return [{ field: here(['issuer']), message, remedy: 'Declare it under identity, as one of issuers.' }]
    }
    return [
      ...claimProblems(rule, issuer, here),
      ...audienceProblems(rule, issuer, { providers, field: here(['audience']) }),
      ...runProblems(rule, issuer, here),
    ]
  })
}

function claimProblems({ claims }: DeclaredTrust, issuer: DeclaredIssuer, at: At): FieldProblem[] {
  const { about, ids, idWords, names, forms = {} } = platformOf(issuer.platform)
  const problems: FieldProblem[] = []
  if (!Object.keys(claims).some((name) => ids.test(name))) {
    const message = `It names nothing that ${about} never gives to another.`
    problems.push({ field: at(['claims']), message, remedy: `Name ${idWords}.` })
  }
  for (const [name, value] of Object.entries(claims)) {
    const field = at(['claims', name])
    const instead = Object.hasOwn(names, name) ? names[name] : undefined
    if (instead !== undefined) {
      const message = `${name} is only a name: someone else can come to have it.`
      problems.push({ field, message, remedy: `Name ${instead} instead.` })
    }
    if (/[*?]/.test(value)) {
      const message = `${name} is compared as it is written: a pattern would match nothing.`
      problems.push({ field, message, remedy: 'Write the one value; for several, several rules.' })
    }
    const form = Object.hasOwn(forms, name) ? forms[name] : undefined
    if (form && !form.test(value)) {
      const message = `${name} of ${about} does not look so.`
      problems.push({ field, message, remedy: `It has to match ${form.source}.` })
    }
  }
  const outside = issuer.issuer.startsWith('spiffe://') && claims['sub']?.startsWith(`${issuer.issuer}/`) === false
  if (outside) {
    const message = `It is not of the trust domain ${issuer.issuer}.`
    problems.push({ field: at(['claims', 'sub']), message, remedy: 'Write an id of this trust domain.' })
  }
  return problems
}

/** What tokens are for that are meant for somebody else: whoever is shown one could show it here. */
const audiencesOfOthers = [
  /^sts\.amazonaws\.com$/,
  /^api:\/\/AzureADTokenExchange$/i,
  /^https:\/\/(www\.)?github\.com(\/|$)/,
  /^https:\/\/gitlab\.com(\/|$)/,
  /^(https:\/\/)?kubernetes\.default\.svc/,
  /^\/\/iam\.googleapis\.com\//,
  /^(vault|sigstore|npm:registry\.npmjs\.org|pypi)$/,
]

type Audience = { readonly providers: readonly DeclaredProvider[]; readonly field: string }

function audienceProblems(
  { audience }: DeclaredTrust,
  { issuer }: DeclaredIssuer,
  { providers, field }: Audience,
): FieldProblem[] {
  const remedy = 'Have the tokens made for Tidegate alone: name its address, such as https://tidegate.example.com.'
  if (audiencesOfOthers.some((one) => one.test(audience)))
    return [{ field, message: `Tokens for ${audience} are shown to somebody else, who could show them here.`, remedy }]
  const people = providers.find((provider) => provider.issuer === issuer && provider.clientId === audience)
  if (!people) return []
  return [{ field, message: `Tokens for it are what people sign in with at ${people.id}.`, remedy }]
}

function runProblems({ boundTo }: DeclaredTrust, { platform }: DeclaredIssuer, at: At): FieldProblem[] {
  const { run, about } = platformOf(platform)
  if (boundTo === undefined || run.length > 0) return []
  const message = `The tokens of ${about} do not say which run it is.`
  return [{ field: at(['boundTo']), message, remedy: 'Leave it out.' }]
}

const publicFields: Readonly<Record<string, readonly string[]>> = {
  RSA: ['n', 'e'],
  EC: ['crv', 'x', 'y'],
  OKP: ['crv', 'x'],
}

const privateFields = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

function keyProblems({ keys }: DeclaredService, at: At): FieldProblem[] {
  return keys.flatMap(({ jwk }, index) => {
    const field = at(['keys', index, 'jwk'])
    if (privateFields.some((name) => Object.hasOwn(jwk, name))) {
      const message = 'This is a private or secret key, and whoever reads the configuration has it now.'
      return [{ field, message, remedy: 'Make another pair, and write its public key here.' }]
    }
    const wanted = typeof jwk['kty'] === 'string' ? publicFields[jwk['kty']] : undefined
    if (wanted?.every((name) => typeof jwk[name] === 'string')) return []
    return [{ field, message: 'This is no public key.', remedy: 'Write a JWK of kty EC, OKP or RSA, with its fields.' }]
  })
}

/** That those it acts for are there is seen to with all other references. */
function agentProblems(files: readonly ReadFile[]): FieldProblem[] {
  const agents = new Map(files.flatMap(({ declared }) => declared.agents).map((agent) => [agent.id, agent]))
  return files.flatMap(({ declared, at }) =>
    declared.agents.flatMap((agent, index) => {
      const length = chainLength(agent, agents)
      if (length <= mostAgents) return []
      const message = `More than ${mostAgents} agents act for each other here, or they do so in a circle.`
      return [{ field: at(['agents', index, 'agent']), message, remedy: 'Let it act for a user or a service.' }]
    }),
  )
}

/** Counted no further than one too many. */
function chainLength(agent: DeclaredAgent, agents: ReadonlyMap<string, DeclaredAgent>): number {
  let length = 1
  for (let next = agents.get(agent.agent ?? ''); next && length <= mostAgents; next = agents.get(next.agent ?? ''))
    length++
  return length
}
