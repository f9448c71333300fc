/** One version of the configuration, checked as a whole and ready to be asked. Immutable. */

import type { ConnectorKind, RoleSpec } from '@tidegate/connectors'
import type { Instant, Millis, PolicySet, Principal, PrincipalRef, Resource, Role, SignalName } from '@tidegate/core'
import type { Parents } from './membership.ts'
import type {
  DeclaredAgent,
  DeclaredBreakGlass,
  DeclaredGroup,
  DeclaredIdentity,
  DeclaredRecording,
  DeclaredResource,
  DeclaredService,
  DeclaredSet,
  DeclaredSettings,
  DeclaredUser,
  DeclaredWebhook,
  RecordingPolicy,
} from './schema.ts'

export type SourceFile = { readonly path: string; readonly text: string }

/** The configuration as it was written, in the order of the files. What a plan compares. */
export type Declared = {
  readonly settings: DeclaredSettings
  readonly identity: DeclaredIdentity
  /** Absent: nobody breaks glass. */
  readonly breakGlass?: DeclaredBreakGlass
  readonly webhooks: readonly DeclaredWebhook[]
  readonly users: readonly DeclaredUser[]
  readonly services: readonly DeclaredService[]
  readonly agents: readonly DeclaredAgent[]
  readonly groups: readonly DeclaredGroup[]
  readonly guards: readonly DeclaredSet[]
  readonly masks: readonly DeclaredSet[]
  readonly recordings: readonly DeclaredRecording[]
  readonly resources: readonly DeclaredResource[]
}

export type ResourceEntry = {
  readonly resource: Resource
  readonly description?: string
  readonly kind: ConnectorKind
  /** As the connector's schema read it. */
  readonly config: unknown
  /** Which name space of which target this is. */
  readonly targetKey: string
  readonly roles: ReadonlyMap<string, RoleEntry>
  /** After the end of their sessions. Absent: for ever. */
  readonly keepRecordingsFor?: Millis
}

/** What sessions are held to: by their role, and by obligations. */
export type Rules = {
  /** In the gateway's words: each has to let a statement through. */
  readonly guards: readonly unknown[]
  /** In the gateway's words: what any of them hides is hidden. */
  readonly masks: readonly unknown[]
  readonly recording: RecordingPolicy
}

/** By name, what roles and policies can ask for. */
export type RuleSets = {
  readonly guards: ReadonlyMap<string, unknown>
  readonly masks: ReadonlyMap<string, unknown>
  readonly recordings: ReadonlyMap<string, DeclaredRecording>
}

export type RoleEntry = {
  readonly role: Role
  readonly description?: string
  readonly spec: RoleSpec<unknown>
  readonly rules: Rules
}

export type TokenEntry = { readonly principal: PrincipalRef; readonly expires: Instant }

export type Snapshot = {
  /** 0: nothing was applied yet. */
  readonly version: number
  /** SHA-256 over paths and texts, in hex. */
  readonly hash: string
  readonly files: readonly SourceFile[]
  readonly declared: Declared
  readonly policies: PolicySet
  readonly sets: RuleSets
  readonly resources: ReadonlyMap<string, ResourceEntry>
  /** Which groups name which members. Those of the directory are members here, too. */
  readonly parents: Parents
  /** Those declared whole, by principal key; declared groups resolved. Who else there is, the directory says. */
  readonly principals: ReadonlyMap<string, Principal>
  /** By hex SHA-256 of the token. */
  readonly tokens: ReadonlyMap<string, TokenEntry>
  /** What each service may say. */
  readonly signalSources: ReadonlyMap<string, ReadonlySet<SignalName>>
}

export function findRole(
  snapshot: Snapshot,
  resource: string,
  role: string,
): { entry: ResourceEntry; role: Role } | undefined {
  const entry = snapshot.resources.get(resource)
  const found = entry?.roles.get(role)
  return entry && found ? { entry, role: found.role } : undefined
}
