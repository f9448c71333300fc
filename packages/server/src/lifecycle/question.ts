/** Gathers the facts for the one question. */

import type {
  AccessRequest,
  Action,
  Authentication,
  Decision,
  Instant,
  Millis,
  Principal,
  Question,
  Resource,
  Role,
  Signal,
  SignalName,
  Step,
} from '@tidegate/core'
import { chainOf, decide, principalKey } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Runtime } from '../runtime.ts'
import { newId } from '../runtime.ts'
import type { Reader } from '../store/database.ts'

export type Asked = {
  readonly principal: Principal
  readonly resource: Resource
  readonly role: Role
  readonly duration: Millis
  /** Absent: `access`. */
  readonly action?: Action
  readonly ticket?: string
  readonly task?: string
  readonly authentication: Authentication
  readonly step: Step
  readonly approver?: Authentication
}

export type Answered = { readonly question: Question; readonly decision: Decision }

type Context = {
  readonly snapshot: Snapshot
  readonly now: Instant
  readonly runtime: Runtime
  readonly signals: readonly Signal[]
}

/** Asks, with signals that were read before. */
export function askWith(asked: Asked, { snapshot, now, runtime, signals }: Context): Answered {
  const subjects = new Set(signalSubjects(asked))
  const question: Question = {
    ...asked,
    now,
    timeZone: snapshot.declared.settings.timeZone,
    signals: signals.filter(({ subject }) => subjects.has(subject)),
  }
  return { question, decision: decide(snapshot.policies, question, newId(runtime, 'decision')) }
}

export async function ask(reader: Reader, asked: Asked, context: Omit<Context, 'signals'>): Promise<Answered> {
  return askWith(asked, { ...context, signals: await readSignals(reader, signalSubjects(asked)) })
}

/** Whose facts count: the principal's, those of all it acts for, and the ticket's. */
export function signalSubjects({
  principal,
  ticket,
}: Pick<Asked, 'principal'> & { readonly ticket?: string }): string[] {
  return [...chainOf(principal).map(principalKey), ...(ticket === undefined ? [] : [`ticket:${ticket}`])]
}

export async function readSignals(reader: Reader, subjects: readonly string[]): Promise<Signal[]> {
  if (subjects.length === 0) return []
  const rows = await reader
    .selectFrom('signal')
    .selectAll()
    .where('subject', 'in', subjects)
    .orderBy('subject')
    .orderBy('name')
    .execute()
  return rows.map((row) => ({
    name: row.name as SignalName,
    subject: row.subject,
    value: row.value as Signal['value'],
    source: row.source,
    observedAt: row.observedAt,
    staleAt: row.staleAt,
  }))
}

type Standing = Pick<AccessRequest, 'principal' | 'resource' | 'role' | 'duration' | 'action'> & {
  readonly ticket?: string
  readonly task?: string
}

type Today = {
  readonly snapshot: Snapshot
  /** `undefined`: it is no longer there. */
  readonly principal: Principal | undefined
  readonly authentication: Authentication
  readonly step: Step
  readonly approver?: Authentication
}

/** A request or grant as a question of today; `undefined`: its principal or role is no longer there. */
export function askedFor(standing: Standing, { snapshot, principal, ...how }: Today): Asked | undefined {
  const entry = snapshot.resources.get(standing.resource)
  const role = entry?.roles.get(standing.role)?.role
  if (!principal || !entry || !role) return undefined
  return {
    principal,
    resource: entry.resource,
    role,
    duration: standing.duration,
    ...how,
    ...(standing.action !== undefined && { action: standing.action }),
    ...(standing.ticket !== undefined && { ticket: standing.ticket }),
    ...(standing.task !== undefined && { task: standing.task }),
  }
}
