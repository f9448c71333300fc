/** Checks resources against their connectors: connection, privileges, and that no two share a target's name space. */

import type { FieldProblem } from '@tidegate/api'
import type { ConnectorKind } from '@tidegate/connectors'
import type { Resource } from '@tidegate/core'
import type { Path, ReadFile } from './read.ts'
import { problemOf } from './read.ts'
import { strictest, unknownSets } from './rule-sets.ts'
import type { DeclaredResource } from './schema.ts'
import { usualRecording } from './schema.ts'
import type { Checking } from './session-rules.ts'
import { sessionProblems } from './session-rules.ts'
import type { ResourceEntry, RoleEntry, Rules, RuleSets } from './snapshot.ts'

type Kinds = ReadonlyMap<string, ConnectorKind>
type At = (path: Path) => string
type Held = Checking & { readonly sets: RuleSets }

export function readResources(
  files: readonly ReadFile[],
  { kinds, ...held }: { readonly kinds: Kinds } & Held,
): { entries: ReadonlyMap<string, ResourceEntry>; problems: readonly FieldProblem[] } {
  const entries = new Map<string, ResourceEntry>()
  const problems: FieldProblem[] = []
  const targets = new Map<string, string>()
  for (const file of files) {
    for (const [index, declared] of file.declared.resources.entries()) {
      const at: At = (path) => file.at(['resources', index, ...path])
      const kind = kinds.get(declared.kind)
      if (!kind) {
        problems.push({
          field: at(['kind']),
          message: `There is no connector ${declared.kind}.`,
          remedy: `Use one of: ${[...kinds.keys()].join(', ')}.`,
        })
        continue
      }
      const read = readResource(declared, { kind, at, ...held })
      problems.push(...read.problems)
      if (!read.entry) continue
      const other = targets.get(read.entry.targetKey)
      if (other !== undefined) problems.push(sharedTarget(at(['connection']), other))
      targets.set(read.entry.targetKey, declared.id)
      entries.set(declared.id, read.entry)
    }
  }
  return { entries, problems }
}

const sharedTarget = (field: string, other: string): FieldProblem => ({
  field,
  message: `The resource ${other} has the same target and name space: each would take the other’s logins for orphans.`,
  remedy: 'Make it one resource, or give one of them another rolePrefix.',
})

type Context = Held & { readonly kind: ConnectorKind; readonly at: At }

function readResource(
  declared: DeclaredResource,
  { kind, at, sets, ...checking }: Context,
): { entry?: ResourceEntry; problems: readonly FieldProblem[] } {
  const problems: FieldProblem[] = sessionProblems(declared, { at, ...checking })
  const config = kind.config.safeParse(declared.connection ?? {})
  if (!config.success) problems.push(...config.error.issues.map((issue) => problemOf(issue, at, ['connection'])))
  const roles = readRoles(declared, { kind, at, sets })
  problems.push(...roles.problems)
  if (!config.success || problems.length > 0) return { problems }
  const specs = [...roles.entries.values()].map(({ spec }) => spec)
  const together = kind
    .problems(config.data, specs)
    .map((message) => ({ field: at([]), message: `${declared.id}: ${message}` }))
  if (together.length > 0) return { problems: together }
  const resource: Resource = {
    id: declared.id,
    kind: declared.kind,
    labels: Object.fromEntries(Object.entries(declared.labels).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    whenUnreachable: declared.whenUnreachable,
    gateway: declared.gateway ?? 'none',
    ...(declared.owner !== undefined && { owner: declared.owner }),
  }
  const entry: ResourceEntry = {
    resource,
    kind,
    config: config.data,
    targetKey: `${kind.kind}:${kind.targetKey(config.data)}`,
    roles: roles.entries,
    ...(declared.recording?.keepFor !== undefined && { keepRecordingsFor: declared.recording.keepFor }),
    ...(declared.description !== undefined && { description: declared.description }),
  }
  return { entry, problems }
}

function readRoles(
  declared: DeclaredResource,
  { kind, at, sets }: Omit<Context, keyof Checking>,
): { entries: Map<string, RoleEntry>; problems: FieldProblem[] } {
  const entries = new Map<string, RoleEntry>()
  const problems: FieldProblem[] = []
  for (const [index, declaredRole] of declared.roles.entries()) {
    const { name, risk, description, privileges } = declaredRole
    const path = ['roles', index]
    problems.push(...unknownSets(declaredRole, sets, (inner) => at([...path, ...inner])))
    if (entries.has(name))
      problems.push({
        field: at([...path, 'name']),
        message: `The role ${name} is declared twice.`,
        remedy: 'Keep one.',
      })
    const parsed = kind.privileges.safeParse(privileges)
    if (!parsed.success) {
      problems.push(...parsed.error.issues.map((issue) => problemOf(issue, at, [...path, 'privileges'])))
      continue
    }
    entries.set(name, {
      role: { resource: declared.id, name, risk },
      spec: { name, risk, privileges: parsed.data },
      ...(description !== undefined && { description }),
      rules: rulesOf(declared, declaredRole, sets),
    })
  }
  return { entries, problems }
}

type DeclaredRole = DeclaredResource['roles'][number]

/** Its own, and those that it names. */
function rulesOf({ recording = usualRecording }: DeclaredResource, role: DeclaredRole, sets: RuleSets): Rules {
  const { text, parameters, rows, whenItFails } = recording
  return {
    guards: [...own(role.guard), ...role.guards.map((name) => sets.guards.get(name))],
    masks: [...own(role.mask), ...role.masks.map((name) => sets.masks.get(name))],
    recording: strictest(
      { text, parameters, rows, whenItFails },
      role.recordings.flatMap((name) => sets.recordings.get(name) ?? []),
    ),
  }
}

const own = (value: unknown): readonly unknown[] => (value === undefined ? [] : [value])
