/**
 * What every kind of target must be able to do.
 *
 * Access on a target is derived from the live grants, never toggled: `open` makes what one grant gives, `close`
 * takes exactly that away, whatever other grants give. Each verb may be called again after an unknown outcome
 * (a lost connection, a timeout, a dead process) and then arrives where one undisturbed call would have.
 * `testConnector` in `conformance.ts` holds an implementation to these words.
 */

import type { GivenTables, GrantId, Instant, Role } from '@tidegate/core'
import type { z } from 'zod'

/** A kind of target, as an entry in the registry. */
export type ConnectorKind<Config = unknown, Privileges = unknown> = {
  /** As in a resource's `kind`. */
  readonly kind: string
  readonly about: string
  /** The resource's `connection` in configuration. Secrets in it are references (`env:NAME`, `file:PATH`), never values. */
  readonly config: z.ZodType<Config>
  /** A role's `privileges` in configuration: the kind's own words for what the role means. */
  readonly privileges: z.ZodType<Privileges>
  /**
   * Two resources with the same key would take each other's logins for orphans, so configuration refuses them.
   * Same target and same name space: same key.
   */
  targetKey(config: Config): string
  /**
   * What is wrong with a resource's roles that no schema sees by itself, because it takes the roles' names, risks and the
   * connection together. Each sentence names the role and the remedy. Configuration refuses to load while there is any;
   * the verbs refuse as well.
   */
  problems(config: Config, roles: readonly RoleSpec<Privileges>[]): readonly string[]
  /** What a role gives on tables, to be held against what was used of it. Absent: roles of this kind give no tables. */
  tablesGiven?(privileges: Privileges): readonly GivenTables[]
  /** Opens no connection by itself. */
  connect(target: Target<Config, Privileges>): Connector
}

export type Target<Config, Privileges> = {
  /** The resource's id. */
  readonly resource: string
  readonly config: Config
  readonly roles: readonly RoleSpec<Privileges>[]
  /** Reads a secret reference of the configuration. Called when a connection is made, so that a rotated secret is picked up. */
  readonly secret: (reference: string) => Promise<string>
  /** Cryptographically random bytes. */
  readonly random: (count: number) => Uint8Array
  readonly limits: TargetLimits
}

export type RoleSpec<Privileges> = Pick<Role, 'name' | 'risk'> & { readonly privileges: Privileges }

export type TargetLimits = {
  readonly connectTimeoutMs: number
  /** For one verb as a whole, connecting included. Past it the outcome is a failure and unknown. */
  readonly operationTimeoutMs: number
  readonly maxConnections: number
}

/** What one grant gives on the target. */
export type Lease = {
  readonly grant: GrantId
  /** Name of one of the target's roles. */
  readonly role: string
  /** The target itself must refuse a new login from here on, even if nothing of Tidegate is alive. */
  readonly expiresAt: Instant
}

export interface Connector {
  /**
   * Makes the target's own objects for roles (group roles and their privileges) what the configuration says,
   * no more and no less. Idempotent. Run by `apply`, and from time to time to take in new objects on the target.
   */
  align(): Promise<AlignOutcome>

  /**
   * Makes a credential for the lease with a fresh secret. Called again for a lease that is open it replaces the
   * secret and the expiry, and leaves running sessions alone. Nothing usable is left behind by a failure that says
   * `notDone`; after any other failure the caller opens again or closes.
   */
  open(lease: Lease): Promise<OpenOutcome>

  /**
   * Makes the target refuse new logins from another time on than it was told before, sooner or later: a grant was
   * shortened or extended. Sessions and the secret stay. A lease without a login has nothing to be told, and one that
   * is being closed stays shut.
   */
  moveEnd(lease: Pick<Lease, 'grant' | 'expiresAt'>): Promise<MoveEndOutcome>

  /**
   * Takes away what `open` made for this grant: no new session from the first moment, then the running ones are
   * ended, then nothing of it is left. `closed` is said only after reading the target back and seeing it gone.
   * A lease that was never opened, or is closed already, closes.
   */
  close(grant: GrantId): Promise<CloseOutcome>

  /**
   * Every login on the target that Tidegate made for this resource, whichever of its processes did. Never one made by
   * someone else. Rejects with a `TargetFault`: a list that could not be read is not an empty list.
   */
  find(): Promise<FoundLogin[]>

  /** The standing privileges on the target: what is held there without a grant. Reads only. Rejects with a `TargetFault`. */
  survey(): Promise<StandingPrivilege[]>

  /** Lets go of connections. Running verbs finish first. */
  end(): Promise<void>
}

export type Failure = {
  readonly outcome: 'failed'
  /** Nothing was changed on the target, for certain. */
  readonly notDone: boolean
  readonly cause: 'unreachable' | 'refused' | 'timeout' | 'misconfigured' | 'fault'
  /** For people; names the thing and the remedy; holds no secret. */
  readonly message: string
}

/** What `find` and `survey` reject with. */
export type TargetFault = Error & { readonly failure: Failure }

export const targetFault = (failure: Failure): TargetFault => Object.assign(new Error(failure.message), { failure })

export const isTargetFault = (error: unknown): error is TargetFault => error instanceof Error && 'failure' in error

export type AlignOutcome = { readonly outcome: 'aligned'; readonly changes: readonly string[] } | Failure

export type OpenOutcome = { readonly outcome: 'opened'; readonly credential: Credential } | Failure

export type MoveEndOutcome = { readonly outcome: 'moved' } | Failure

export type CloseOutcome =
  | {
      readonly outcome: 'closed'
      /** Whether this call found anything to take away. */
      readonly existed: boolean
      /** Sessions that this call ended. */
      readonly sessionsEnded: number
    }
  | Failure

/** Shown to the holder once. `secret` is never stored, logged or put into an entry. */
export type Credential = {
  readonly kind: 'postgres-login'
  readonly host: string
  readonly port: number
  readonly databases: readonly string[]
  readonly user: string
  readonly secret: string
  readonly tls: 'verify-full' | 'disable'
  /** PEM of the certificate authority to verify the target with, where the system's own will not do. */
  readonly ca?: string
  readonly expiresAt: Instant
}

export type FoundLogin = {
  readonly grant: GrantId
  readonly login: string
  /** As the target keeps it; absent: it has none. */
  readonly expiresAt?: Instant
  readonly sessions: number
}

export type StandingPrivilege = {
  /** The login or role on the target that holds it. */
  readonly holder: string
  readonly kind: 'superuser' | 'role-attribute' | 'membership' | 'ownership' | 'direct-grant' | 'password-never-expires'
  /** `superuser`; `CREATEROLE`; `member of orders_owner`; `owns 4 tables in shop`; `SELECT, UPDATE on shop.orders`. */
  readonly what: string
  readonly risk: 'low' | 'elevated' | 'admin'
  readonly canLogin: boolean
  /** When the target last saw it, where it knows; absent: the target does not say. */
  readonly lastSeenAt?: Instant
}
