/** From files to a snapshot: everything is checked together, and every problem is reported at once. */

import { createHash } from 'node:crypto'
import type { FieldProblem } from '@tidegate/api'
import { limits } from '@tidegate/api'
import type { ConnectorKind } from '@tidegate/connectors'
import type { Agent, LoadOptions, PolicySet, Principal, Service, SignalName, User } from '@tidegate/core'
import { administrationResource, loadPolicies, positionAt, principalKey } from '@tidegate/core'
import { administrationEntry } from '../administration/built-in.ts'
import { identityProblems, mayBeInDirectory } from './identity-rules.ts'
import { breakGlassProblems } from './break-glass-rules.ts'
import { parentsOf, readMember, resolveMembership } from './membership.ts'
import type { Parents } from './membership.ts'
import { unkeptProblems } from './obliging.ts'
import type { Path, ReadFile } from './read.ts'
import { readFiles } from './read.ts'
import { readResources } from './resources.ts'
import { readSets } from './rule-sets.ts'
import { bootstrapIdentity, bootstrapSettings, noIdentity } from './schema.ts'
import type { DeclaredAgent } from './schema.ts'
import { actsForRef, serviceProblems } from './service-rules.ts'
import type { SessionRules } from './session-rules.ts'
import { webhookProblems } from './webhook-rules.ts'
import type { Declared, ResourceEntry, RuleSets, Snapshot, SourceFile, TokenEntry } from './snapshot.ts'

export type ParseResult =
  | { readonly ok: true; readonly snapshot: Snapshot }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] }

type Options = {
  readonly version: number
  readonly kinds: ReadonlyMap<string, ConnectorKind>
  /** Absent: guards and masks are refused. */
  readonly sessionRules?: SessionRules | undefined
}

export function parseConfiguration(
  sources: readonly SourceFile[],
  { version, kinds, sessionRules }: Options,
): ParseResult {
  const unnamed = checkSources(sources)
  if (unnamed.length > 0) return { ok: false, problems: unnamed }
  const files = sources.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const read = readFiles(files.filter(({ path }) => !isPolicy(path)))
  const declared = merge(read.files)
  const groups = new Set(declared.groups.map(({ id }) => id))
  const checking = { rules: sessionRules, groups }
  const { sets, problems: setProblems } = readSets(read.files, checking)
  const resources = readResources(read.files, { kinds, sets, ...checking })
  const hash = hashOf(files)
  const policies = readPolicies(files, { version: hash, knownGroups: groups, knownObligations: namesOf(sets) })
  const problems = [
    ...read.problems,
    ...setProblems,
    ...resources.problems,
    ...policies.problems,
    ...(policies.set ? unkeptProblems(policies.set, resources.entries) : []),
    // References are only worth checking when every file could be read.
    ...(read.problems.length === 0 ? checkReferences(read.files, declared) : []),
  ]
  if (problems.length > 0 || !policies.set) return { ok: false, problems }
  return {
    ok: true,
    snapshot: build({ version, hash, files, declared, policies: policies.set, sets, resources: resources.entries }),
  }
}

const isPolicy = (path: string): boolean => path.endsWith('.cedar')

/** A zero, or half a character: neither can be stored, and no editor means them. */
const notText = /\0|\p{Cs}/u

function checkSources(sources: readonly SourceFile[]): FieldProblem[] {
  const problems: FieldProblem[] = []
  if (sources.length > limits.configFiles)
    problems.push({ field: 'files', message: `More than ${limits.configFiles} files.` })
  const seen = new Set<string>()
  for (const { path, text } of sources) {
    const binary = notText.exec(text)
    if (binary) {
      const { line, column } = positionAt(text, binary.index)
      problems.push({
        field: `${path}:${line}:${column}`,
        message: 'A character stands here that no text has.',
        remedy: 'Save the file as UTF-8 text.',
      })
    }
    if (seen.has(path)) problems.push({ field: path, message: 'The file is named twice.' })
    seen.add(path)
    if (!/\.(ya?ml|cedar)$/.test(path)) {
      problems.push({
        field: path,
        message: 'Not a configuration file.',
        remedy: 'Pass .yaml, .yml and .cedar files only.',
      })
    }
  }
  return problems
}

/** Length-prefixed, so that no two sets of files have the same bytes. */
function hashOf(files: readonly SourceFile[]): string {
  const hash = createHash('sha256')
  for (const { path, text } of files) {
    for (const part of [path, text]) hash.update(`${Buffer.byteLength(part)}:`).update(part)
  }
  return hash.digest('hex')
}

function merge(files: readonly ReadFile[]): Declared {
  const all = files.map(({ declared }) => declared)
  const breakGlass = all.find((one) => one.breakGlass)?.breakGlass
  return {
    settings: all.find(({ settings }) => settings)?.settings ?? bootstrapSettings,
    identity: all.find(({ identity }) => identity)?.identity ?? (files.length === 0 ? bootstrapIdentity : noIdentity),
    ...(breakGlass && { breakGlass }),
    webhooks: all.flatMap(({ webhooks }) => webhooks),
    users: all.flatMap(({ users }) => users),
    services: all.flatMap(({ services }) => services),
    agents: all.flatMap(({ agents }) => agents),
    groups: all.flatMap(({ groups }) => groups),
    guards: all.flatMap(({ guards }) => guards),
    masks: all.flatMap(({ masks }) => masks),
    recordings: all.flatMap(({ recordings }) => recordings),
    resources: all.flatMap(({ resources }) => resources),
  }
}

function readPolicies(
  files: readonly SourceFile[],
  options: LoadOptions,
): { set?: PolicySet; problems: FieldProblem[] } {
  const loaded = loadPolicies(
    files.filter(({ path }) => isPolicy(path)),
    options,
  )
  if (loaded.ok) return { set: loaded.policies, problems: [] }
  const problems = loaded.problems.map(({ path, line, column, id, message, remedy }) => ({
    field: `${path}:${line}:${column}`,
    message: id === undefined ? message : `policy ${id}: ${message}`,
    ...(remedy !== undefined && { remedy }),
  }))
  return { problems }
}

const namesOf = ({ guards, masks, recordings }: RuleSets): NonNullable<LoadOptions['knownObligations']> => ({
  guard: new Set(guards.keys()),
  mask: new Set(masks.keys()),
  record: new Set(recordings.keys()),
})

type Kind = Exclude<keyof Declared, 'settings' | 'identity' | 'breakGlass'>

/** Where each declared thing of a kind stands, over all files. */
function* places<K extends Kind>(
  files: readonly ReadFile[],
  kind: K,
): Generator<{ item: Declared[K][number]; at: (path: Path) => string }> {
  for (const file of files) {
    for (const [index, item] of file.declared[kind].entries()) {
      yield { item, at: (path) => file.at([kind, index, ...path]) }
    }
  }
}

function checkReferences(files: readonly ReadFile[], declared: Declared): FieldProblem[] {
  const ids = {
    user: new Set(declared.users.map(({ id }) => id)),
    service: new Set(declared.services.map(({ id }) => id)),
    agent: new Set(declared.agents.map(({ id }) => id)),
    group: new Set(declared.groups.map(({ id }) => id)),
  }
  const problems: FieldProblem[] = []
  const must = (kind: keyof typeof ids, id: string | undefined, field: string): void => {
    if (id === undefined || ids[kind].has(id) || mayBeInDirectory(declared.identity, { kind, id })) return
    problems.push({ field, message: `There is no ${kind} ${id}.`, remedy: 'Declare it, or correct the name.' })
  }
  for (const { item, at } of places(files, 'users')) must('user', item.manager, at(['manager']))
  for (const { item, at } of places(files, 'services')) must('user', item.owner, at(['owner']))
  for (const { item, at } of places(files, 'agents')) {
    const { kind, id } = actsForRef(item)
    must(kind, id, at([kind]))
  }
  for (const { item, at } of places(files, 'resources')) must('group', item.owner, at(['owner']))
  for (const { item, at } of places(files, 'groups')) {
    for (const [index, text] of item.members.entries()) {
      const { kind, id } = readMember(text)
      must(kind, id, at(['members', index]))
    }
  }
  for (const file of files) {
    must('group', file.declared.settings?.administrators, file.at(['settings', 'administrators']))
    must('group', file.declared.settings?.auditors, file.at(['settings', 'auditors']))
  }
  return [
    ...problems,
    ...checkUnique(files),
    ...identityProblems(files),
    ...serviceProblems(files),
    ...breakGlassProblems(files, declared),
    ...webhookProblems(files, declared),
  ]
}

const kinds: readonly Kind[] = [
  'webhooks',
  'users',
  'services',
  'agents',
  'groups',
  'guards',
  'masks',
  'recordings',
  'resources',
]

function checkUnique(files: readonly ReadFile[]): FieldProblem[] {
  const problems: FieldProblem[] = []
  const once = (seen: Set<string>, key: string, twice: { field: string; message: string }): void => {
    if (seen.has(key)) problems.push({ ...twice, remedy: 'Keep one.' })
    seen.add(key)
  }
  for (const kind of kinds) {
    const seen = new Set<string>()
    for (const { item, at } of places(files, kind))
      once(seen, item.id, { field: at(['id']), message: `${item.id} is declared twice.` })
  }
  const hashes = new Set<string>()
  for (const kind of ['users', 'services', 'agents'] as const) {
    for (const { item, at } of places(files, kind)) {
      for (const [index, { hash }] of item.tokens.entries()) {
        once(hashes, hash, { field: at(['tokens', index, 'hash']), message: 'This token is declared twice.' })
      }
    }
  }
  for (const { declared, at } of files) {
    for (const [place, { tokens }] of (declared.identity?.scim ?? []).entries()) {
      for (const [index, { hash }] of tokens.entries()) {
        const field = at(['identity', 'scim', place, 'tokens', index, 'hash'])
        once(hashes, hash, { field, message: 'This token is declared twice.' })
      }
    }
  }
  for (const [section, words] of [
    ['settings', 'Settings stand'],
    ['identity', 'Identity stands'],
    ['breakGlass', 'Break-glass stands'],
  ] as const) {
    const places = files.filter(({ declared }) => declared[section]).slice(1)
    problems.push(
      ...places.map((file) => ({
        field: file.at([section]),
        message: `${words} in more than one file.`,
        remedy: 'Keep one.',
      })),
    )
  }
  return problems
}

type Parts = {
  version: number
  hash: string
  files: readonly SourceFile[]
  declared: Declared
  policies: PolicySet
  sets: RuleSets
  resources: ReadonlyMap<string, ResourceEntry>
}

function build(parts: Parts): Snapshot {
  const parents = parentsOf(parts.declared.groups)
  const principals = buildPrincipals(parts.declared, parents)
  const { administrators } = parts.declared.settings
  return {
    ...parts,
    resources: new Map(parts.resources).set(administrationResource, administrationEntry(administrators)),
    parents,
    principals,
    tokens: buildTokens(parts.declared),
    signalSources: buildSources(parts.declared),
  }
}

function buildPrincipals({ users, services, agents }: Declared, parents: Parents): Map<string, Principal> {
  const membership = resolveMembership(parents)
  const groupsOf = (kind: Principal['kind'], id: string): readonly string[] => membership.get(`${kind}:${id}`) ?? []
  const people = new Map<string, User>(
    users.map(({ id, name, email, manager }) => [
      id,
      {
        kind: 'user',
        id,
        groups: groupsOf('user', id),
        ...(name !== undefined && { name }),
        ...(email !== undefined && { email }),
        ...(manager !== undefined && { manager }),
      },
    ]),
  )
  const all: Principal[] = [...people.values()]
  for (const { id, owner } of services) {
    all.push({
      kind: 'service',
      id,
      groups: groupsOf('service', id),
      ...(owner !== undefined && { owner }),
    } satisfies Service)
  }
  const found = new Map(all.map((principal) => [principalKey(principal), principal]))
  for (const agent of agents) putAgent(found, agent, { agents, groupsOf })
  return found
}

type Declaring = {
  readonly agents: readonly DeclaredAgent[]
  readonly groupsOf: (kind: Principal['kind'], id: string) => readonly string[]
}

/** After those it acts for. One that acts for somebody of the directory is not declared whole. */
function putAgent(found: Map<string, Principal>, agent: DeclaredAgent, declaring: Declaring): Principal | undefined {
  const ref = actsForRef(agent)
  const next = ref.kind === 'agent' ? declaring.agents.find(({ id }) => id === ref.id) : undefined
  const actsFor = found.get(principalKey(ref)) ?? (next && putAgent(found, next, declaring))
  if (!actsFor) return undefined
  const { id } = agent
  const whole: Agent = { kind: 'agent', id, groups: declaring.groupsOf('agent', id), actsFor }
  found.set(principalKey(whole), whole)
  return whole
}

function buildTokens({ users, services, agents }: Declared): Map<string, TokenEntry> {
  const holders = [
    ...users.map((user) => ({ kind: 'user' as const, ...user })),
    ...services.map((service) => ({ kind: 'service' as const, ...service })),
    ...agents.map((agent) => ({ kind: 'agent' as const, ...agent })),
  ]
  return new Map(
    holders.flatMap(({ kind, id, tokens }) =>
      tokens.map(({ hash, expires }) => [hash.slice('sha256:'.length), { principal: { kind, id }, expires }] as const),
    ),
  )
}

const buildSources = ({ services }: Declared): Map<string, ReadonlySet<SignalName>> =>
  new Map(services.map(({ id, signals }) => [id, new Set<SignalName>(signals)]))
