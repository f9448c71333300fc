/** Checks resources against their connectors: connection, privileges, and that no two share a target's name space. */

import type { FieldProblem } from '@tidegate/api'
import type { ConnectorKind } from '@tidegate/connectors'
import type { Resource } from '@tidegate/core'
import type { Path, ReadFile } from './read.ts'
import { problemOf } from './read.ts'
import type { DeclaredResource } from './schema.ts'
import { usualRecording } from './schema.ts'
import type { SessionRules } from './session-rules.ts'
import { sessionProblems } from './session-rules.ts'
import type { ResourceEntry, RoleEntry } from './snapshot.ts'

type Kinds = ReadonlyMap<string, ConnectorKind>
type At = (path: Path) => string

export function readResources(
  files: readonly ReadFile[],
  { kinds, rules }: { readonly kinds: Kinds; readonly rules: SessionRules | undefined },
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
      const read = readResource(declared, { kind, at, rules })
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

type Context = { kind: ConnectorKind; at: At; rules: SessionRules | undefined }

function readResource(
  declared: DeclaredResource,
  { kind, at, rules }: Context,
): { entry?: ResourceEntry; problems: readonly FieldProblem[] } {
  const problems: FieldProblem[] = sessionProblems(declared, { at, rules })
  const config = kind.config.safeParse(declared.connection ?? {})
  if (!config.success) problems.push(...config.error.issues.map((issue) => problemOf(issue, at, ['connection'])))
  const roles = readRoles(declared, { kind, at })
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
    ...(declared.owner !== undefined && { owner: declared.owner }),
  }
  const entry: ResourceEntry = {
    resource,
    kind,
    config: config.data,
    targetKey: `${kind.kind}:${kind.targetKey(config.data)}`,
    roles: roles.entries,
    gateway: declared.gateway ?? 'none',
    recording: declared.recording ?? usualRecording,
    ...(declared.description !== undefined && { description: declared.description }),
  }
  return { entry, problems }
}

function readRoles(
  declared: DeclaredResource,
  { kind, at }: Omit<Context, 'rules'>,
): { entries: Map<string, RoleEntry>; problems: FieldProblem[] } {
  const entries = new Map<string, RoleEntry>()
  const problems: FieldProblem[] = []
  for (const [index, { name, risk, description, privileges, guard, mask }] of declared.roles.entries()) {
    const path = ['roles', index]
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
      ...(guard !== undefined && { guard }),
      ...(mask !== undefined && { mask }),
    })
  }
  return { entries, problems }
}
