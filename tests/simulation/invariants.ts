/** What must hold at every moment: one row an invariant. Each looks at the store, the targets and what clients were told. */

import { privilegesOf } from '@tidegate/connectors/memory'
import type { GrantId } from '@tidegate/core'
import { changedAlone, lockedOut } from './administration.ts'
import { fullVariant, managerOf, ownersOfOrders, personBehind } from './configuration.ts'
import { brokenAgain, unregisteredUses, unreviewedUses } from './glass.ts'
import { foldFindings, foldGrant, foldRequest } from './fold.ts'
import { mayBeOn } from './judge.ts'
import type { Entry, GrantRow, RequestRow, Sight } from './look.ts'
import { noteSecrets, secretsIn } from './secrets.ts'
import { memoryCredential } from './steps.ts'
import type { World } from './world.ts'
import { mostSkewMs } from './world.ts'

type Moment = {
  readonly world: World
  readonly now: Sight
  readonly before: Sight
  readonly entriesOf: (id: string) => readonly Entry[]
}
type Invariant = { readonly about: string; readonly check: (moment: Moment) => readonly string[] }

export const invariants = {
  'nothing-open-without-a-grant': {
    about:
      'Every login on a target, and every credential that works, has a grant that is being opened, open, or being closed.',
    check: ({ world, now }) => [
      ...strayLogins(world, now),
      ...workingCredentials(world, now),
      ...lostSessions(world, now),
    ],
  },
  'each-grant-has-its-own': {
    about:
      'While a grant is active its own login is there, with its role and no other, whatever becomes of grants beside it.',
    check: ({ world, now }) => [...now.grants.values()].flatMap((row) => withoutLogin(world, row)),
  },
  'the-target-knows-the-end': {
    about: 'A target refuses a login from the end of its grant on, whatever has become of Tidegate.',
    check: ({ world, now }) =>
      onTargets(world).flatMap(({ target, grant, login }) => {
        const row = now.grants.get(grant)
        if (!row || target.excused.has(grant as never) || !mayBeOn(row) || row.expires_at === null) return []
        const late = login.expiresAt - row.expires_at
        return late > 0 && !world.shortened.has(grant) && !outOfStep(world, { row, secret: login.secret, late })
          ? [`${target.name} lets ${grant} in ${late} ms after its end`]
          : []
      }),
  },
  'ends-are-final': {
    about: 'What has ended stays so, for the reason it ended; what is settled stays settled.',
    check: ({ world, now, before }) => [...movedBack(now, before), ...takenBack(world, now)],
  },
  'never-longer': {
    about: 'A grant lasts no longer than was asked for, and its end never moves away once a credential is out.',
    check: ({ now, before }) => tooLong(now, before),
  },
  'longer-only-by-asking': {
    about:
      'What ends later than it did was open then, and its holder asked for that, was approved, and got no more than that.',
    check: ({ now, before }) => longerUnasked(now, before),
  },
  'entries-tell-the-state': {
    about: 'The entries of a grant, a request or a finding, one after the other, give the row that is there.',
    check: ({ now, entriesOf }) => [
      ...[...now.grants.values()].flatMap((row) => foldGrant(row, entriesOf(row.id))),
      ...[...now.requests.values()].flatMap((row) => foldRequest(row, entriesOf(row.id), now.approvals)),
      ...foldFindings(now.findings, now.entries),
      ...untold(now),
    ],
  },
  'what-was-answered-is-kept': {
    about: 'A request, an approval or a grant that a client was told of is there.',
    check: ({ world, now }) => forgotten(world, now),
  },
  'asked-once': {
    about: 'The same request sent twice with one key is one request.',
    check: ({ now }) => {
      const keys = [...now.requests.values()].map(({ reason }) => reason)
      return [...new Set(keys.filter((key, index) => keys.indexOf(key) !== index))].map(
        (key) => `${key} was filed more than once`,
      )
    },
  },
  'enough-other-people': {
    about:
      'What needed people was approved by enough of them: distinct, eligible when they answered, and not the one who asked.',
    check: ({ world, now, entriesOf }) =>
      [...now.requests.values()].flatMap((row) => wrongApproval(world, row, now, entriesOf(row.id))),
  },
  'no-grant-without-a-decision': {
    about: 'Every grant has its request, every request its decision.',
    check: ({ now }) => undecided(now),
  },
  'expiry-is-exact': {
    about: 'Nothing ends as expired before its time by the clock of whoever says so.',
    check: ({ now, entriesOf }) =>
      [...now.grants.values()].flatMap((row) =>
        row.end_reason === 'expired' && (row.end_at ?? 0) < (row.expires_at ?? 0) && entriesOf(row.id).length > 0
          ? [`${row.id} ended as expired ${(row.expires_at ?? 0) - (row.end_at ?? 0)} ms before its end`]
          : [],
      ),
  },
  'only-orphans-are-orphans': {
    about: 'What is reported and closed as an orphan was one.',
    check: ({ world, now }) =>
      now.findings
        .filter(({ kind }) => kind === 'orphan-login')
        .map(({ subject }) => subject.slice('grant:'.length))
        .filter((grant) => !world.targets.all().some(({ everOrphan }) => everOrphan.has(grant)))
        .map((grant) => `${grant} was reported as an orphan and never was one`),
  },
  'secrets-stay-out': {
    about: 'No entry, no other answer and at the end no table holds the secret of a credential or a token.',
    check: ({ world, now, before }) => {
      const seen = new Set(before.entries.map(({ id }) => id))
      const added = now.entries.filter(({ id }) => !seen.has(id))
      return secretsIn(world, JSON.stringify(added), 'an entry')
    },
  },
  'administrators-stay': {
    about: 'The configuration in force has as many administrators as its next change takes.',
    check: ({ world }) => lockedOut(world),
  },
  'nobody-weakens-alone': {
    about: 'Where two people are asked for, no configuration comes into force by one.',
    check: ({ world, now }) => changedAlone(world, now),
  },
  'only-the-registered-break-glass': {
    about: 'Whoever broke glass was registered for that role by the configuration of that moment.',
    check: ({ world, now }) => unregisteredUses(world, now),
  },
  'glass-is-reviewed': {
    about:
      'Each use of break-glass has its review, its entry, and a finding that is open until somebody else has reviewed it.',
    check: ({ world, now, before }) => unreviewedUses(world, now, before),
  },
  'unreviewed-breaks-no-glass': {
    about: 'Whoever has a use of break-glass that was not reviewed in time breaks none again.',
    check: ({ now, before }) => brokenAgain(now, before),
  },
} as const satisfies Record<string, Invariant>

/** What follows from one answer or from one pass, by `judge.ts`. */
export const judgements = {
  'credential-only-while-live': 'A credential is handed out only while its grant is active, and says its end.',
  'facts-end-grants': 'Whoever is known to have a bad device has nothing open once that was answered.',
  'power-only-while-held':
    'What takes a role of Tidegate lets through whoever holds it at that moment, by a live grant or standing, and nobody else.',
  'standing-power-is-told': 'What standing owners change by nothing but that is told by an entry for each time.',
  'the-target-hears-first':
    'Whoever is told that a grant ends later is told so when its target knows, or that it does not yet.',
  'reading-changes-nothing': 'What only reads leaves grants, requests, findings and entries as they were.',
  'pass-leaves-nothing-due': 'After an undisturbed pass nothing is due by the clock of whoever passed.',
  'tending-leaves-no-orphans': 'After an undisturbed tending its target has no login without a grant.',
  'nothing-unexpected': 'No error and no refusal that no fault explains.',
} as const

/** What must have become of everything at the end of a history, by `quiet.ts`. */
export const endings = {
  'everything-ends': 'No operation and no pass waits for ever.',
  'quiet-everything-in-order': 'Nothing is overdue, half open or half closed.',
  'quiet-targets-give-what-grants-say': 'Targets have the logins of active grants as they should be, or it was told.',
  'quiet-findings-are-so': 'A finding is open only while it is so.',
  'quiet-policy-holds': 'Policy, as it is now, permits all that is open.',
  'quiet-nothing-stays-open': 'Three days later nothing is open at all.',
  'the-log-verifies': 'The log has every entry, and goes on from every checkpoint that somebody kept.',
} as const

export type InvariantName = keyof typeof invariants | keyof typeof judgements | keyof typeof endings

export function checkInvariants(world: World): void {
  const { sight: now, earlier: before } = world
  noteSecrets(world)
  noteShortened(world, now)
  noteExcuses(world, now)
  const byId = new Map<string, Entry[]>()
  for (const entry of now.entries)
    for (const id of [entry['grant'], entry['request']])
      if (typeof id === 'string') byId.set(id, [...(byId.get(id) ?? []), entry])
  const moment: Moment = { world, now, before, entriesOf: (id) => byId.get(id) ?? [] }
  for (const name of Object.keys(invariants) as (keyof typeof invariants)[])
    for (const what of invariants[name].check(moment)) world.fail(name, what)
}

function noteShortened(world: World, now: Sight): void {
  for (const { type, grant } of now.entries) if (type === 'grant.shortened') world.shortened.add(String(grant))
}

/** What is gone is excused no more; what is excused and has no grant is an orphan, and may be reported as one. */
function noteExcuses(world: World, now: Sight): void {
  for (const target of world.targets.all()) {
    for (const grant of target.memory.logins.keys()) if (!mayBeOn(now.grants.get(grant))) target.everOrphan.add(grant)
    for (const grant of target.excused.keys()) {
      if (!target.memory.logins.has(grant)) target.excused.delete(grant)
    }
  }
}

const onTargets = (world: World) =>
  world.targets
    .all()
    .flatMap((target) => [...target.memory.logins].map(([grant, login]) => ({ target, grant: grant as string, login })))

function strayLogins(world: World, now: Sight): string[] {
  return onTargets(world).flatMap(({ target, grant }) => {
    if (target.excused.has(grant as never)) return []
    const row = now.grants.get(grant)
    if (!row || !mayBeOn(row)) return [`${grant} has a login on ${target.name} and is ${row?.state ?? 'not there'}`]
    const home = row.configuration === null ? undefined : world.targetOf(row.resource, row.configuration)
    return home === target
      ? []
      : [`${grant} has a login on ${target.name}, and would be closed on ${home?.name ?? 'none'}`]
  })
}

function workingCredentials(world: World, now: Sight): string[] {
  return world.told.credentials.flatMap((credential) => {
    const row = now.grants.get(credential.grant)
    return world.targets.all().flatMap((target) => {
      if (target.excused.has(credential.grant as never)) return []
      if (privilegesOf(target.memory, memoryCredential(credential), world.now).size === 0) return []
      if (row?.state !== 'active' && row?.state !== 'ending')
        return [
          `the credential of ${credential.grant} works on ${target.name}, and its grant is ${row?.state ?? 'not there'}`,
        ]
      const late = world.now - (row.expires_at ?? 0)
      return late >= 0 && !world.shortened.has(row.id)
        ? [`the credential of ${row.id} works ${late} ms after its end`]
        : []
    })
  })
}

type Late = { readonly row: GrantRow; readonly secret: string; readonly late: number }

/** Made by an attempt whose answer nobody heard, before another server, whose clock is behind, began the next one. */
const outOfStep = ({ told }: World, { row, secret, late }: Late): boolean =>
  row.attempt > 1 && late <= 2 * mostSkewMs && !told.credentials.some((one) => one.secret === secret)

/** What somebody removed by hand is missing until the holder activates again. */
function withoutLogin(world: World, row: GrantRow): string[] {
  // Whoever has the fastest clock may have closed it, and not have recorded it.
  const over = (row.expires_at ?? 0) <= world.now + Math.max(...world.skews)
  if (row.state !== 'active' || over || row.resource === 'tidegate') return []
  const target = world.targetOf(row.resource, row.configuration ?? 0)
  const login = target?.memory.logins.get(row.id as GrantId)
  if (!login) return target?.removed.has(row.id as GrantId) ? [] : [`${row.id} is active and has no login`]
  return login.role === row.role && !login.shut
    ? []
    : [`${row.id} is active, and its login has ${login.shut ? 'been shut' : `the role ${login.role}`}`]
}

function lostSessions(world: World, now: Sight): string[] {
  return world.targets.all().flatMap((target) =>
    [...target.memory.sessions].flatMap(({ grant }) => {
      const state = now.grants.get(grant)?.state
      return mayBeOn(now.grants.get(grant)) || target.excused.has(grant)
        ? []
        : [`a session of ${grant} goes on on ${target.name}, and its grant is ${state ?? 'not there'}`]
    }),
  )
}

const settled = (row: RequestRow): string => `${row.status} ${row.settled_at}`
const ended = (row: GrantRow): string => `${row.end_reason} ${row.end_at}`

function movedBack(now: Sight, before: Sight): string[] {
  const grants = [...before.grants.values()].flatMap((was) => {
    const is = now.grants.get(was.id)
    if (!is) return [`${was.id} is no longer in the store`]
    if (was.state === 'ended' && (is.state !== 'ended' || is.ended_at !== was.ended_at))
      return [`${was.id} had ended and is ${is.state}`]
    if (was.end_reason !== null && ended(is) !== ended(was))
      return [`${was.id} had ended ${ended(was)}, and now ${ended(is)}`]
    return []
  })
  const requests = [...before.requests.values()].flatMap((was) => {
    const is = now.requests.get(was.id)
    if (!is) return [`${was.id} is no longer in the store`]
    if (was.status === 'pending' || settled(is) === settled(was)) return []
    return was.status === 'approved' && is.status === 'failed'
      ? []
      : [`${was.id} was ${settled(was)} and is ${settled(is)}`]
  })
  return [...grants, ...requests]
}

function takenBack({ told }: World, now: Sight): string[] {
  return [...told.ends].flatMap(([id, { reason, at }]) => {
    const row = now.grants.get(id)
    const same = row?.end_reason === reason && row.end_at === Date.parse(at)
    return same
      ? []
      : [`someone was told that ${id} ended (${reason} at ${at}), and the store says ${row ? ended(row) : 'nothing'}`]
  })
}

function tooLong(now: Sight, before: Sight): string[] {
  return [...now.grants.values()].flatMap((row) => {
    const asked = now.requests.get(row.extension ?? row.request)?.duration_ms ?? 0
    const found: string[] = []
    if (row.expires_at !== null && row.expires_at - (row.extended_at ?? row.activated_at ?? 0) > asked)
      found.push(`${row.id} lasts longer than was asked for`)
    const was = before.grants.get(row.id)
    const handedOut = was?.state === 'active' || was?.state === 'ending'
    const extended = row.extension !== (was?.extension ?? null)
    if (handedOut && !extended && (row.expires_at ?? 0) > (was?.expires_at ?? 0))
      found.push(`the end of ${row.id} moved away`)
    return found
  })
}

/** A request of its own for each extension, approved, and by a decision that lets that be. */
function longerUnasked(now: Sight, before: Sight): string[] {
  return [...now.grants.values()].flatMap((row) => {
    const was = before.grants.get(row.id)
    if (row.extension === null || row.extension === was?.extension) return []
    const found: string[] = []
    const open = was?.state === 'active' || was?.state === 'provisioning'
    if (!open) found.push(`${row.id} was ${was?.state ?? 'not there'}, and was extended`)
    if ((was?.expires_at ?? Infinity) <= (row.extended_at ?? 0)) found.push(`${row.id} was over, and was extended`)
    const asked = now.requests.get(row.extension)
    if (asked?.extends !== row.id || asked.status !== 'approved' || asked.principal !== row.principal)
      return [...found, `${row.id} was extended by ${row.extension}, which is no approved request for that`]
    const outcome = now.decisions.get(asked.decision)?.outcome
    if (outcome !== 'permit' && outcome !== 'approve')
      found.push(`${row.id} was extended, and the answer was ${outcome ?? 'not asked for'}`)
    return found
  })
}

/** Changes without an entry, beyond grants and requests. */
function untold(now: Sight): string[] {
  const applied = new Set(
    now.entries.filter(({ type }) => type === 'configuration.applied').map((entry) => entry['version']),
  )
  return now.configurations
    .filter(({ version }) => version > 1 && !applied.has(version))
    .map(({ version }) => `configuration ${version} has no entry`)
}

function forgotten({ told }: World, now: Sight): string[] {
  const requests = [...told.requests].flatMap(([id, { by }]) =>
    now.requests.get(id)?.principal === by ? [] : [`${by} was told of ${id}, which is not there`],
  )
  const approvals = told.approvals
    .filter(
      (one) =>
        !now.approvals.some(
          (row) => row.request === one.request && row.approver === one.approver && row.verdict === one.verdict,
        ),
    )
    .map(
      ({ request, approver, verdict }) =>
        `${approver} was told that the answer to ${request} (${verdict}) was taken, and it is not there`,
    )
  const cancelled = [...told.cancelled]
    .filter((id) => now.requests.get(id)?.status !== 'cancelled')
    .map((id) => `${id} was taken back and is not`)
  const credentials = told.credentials
    .filter(({ grant }) => !['active', 'ending', 'ended'].includes(now.grants.get(grant)?.state ?? ''))
    .map(({ grant }) => `a credential of ${grant} is out, and it is ${now.grants.get(grant)?.state ?? 'not there'}`)
  return [...requests, ...approvals, ...cancelled, ...credentials]
}

function undecided(now: Sight): string[] {
  const grants = [...now.grants.values()].flatMap(({ id, request }) => {
    const row = now.requests.get(request)
    return row && (row.status === 'approved' || row.status === 'failed') && row.grant_id === id
      ? []
      : [`${id} has no approved request`]
  })
  const requests = [...now.requests.values()]
    .filter(({ decision }) => !now.decisions.has(decision))
    .map(({ id }) => `${id} rests on no decision`)
  return [...grants, ...requests]
}

type Stage = { readonly approvers: readonly string[]; readonly count: number }

/** Told anew, from the configuration in force when the decision was made, and not from what the server made of it. */
function wrongApproval(world: World, row: RequestRow, now: Sight, entries: readonly Entry[]): string[] {
  const yeses = now.approvals.filter(({ request, verdict }) => request === row.id && verdict === 'approve')
  const self = personBehind[row.principal]
  const own = yeses
    .filter(({ approver }) => approver === self)
    .map(({ approver }) => `${approver} approved ${row.id}, which is their own`)
  const approved = entries.find(({ type }) => type === 'request.approved')
  const decision = now.decisions.get(row.decision)
  if (row.grant_id !== null && !approved) return own
  if (!approved) return own
  if (approved['by'] === 'policy')
    return decision?.outcome === 'permit'
      ? own
      : [...own, `${row.id} was approved by policy, which said ${decision?.outcome}`]
  const hash = now.decisions.get(row.decision)?.policy_version ?? ''
  const variant = fullVariant(world.variantOfHash(hash))
  const stages = requiredStages(row, variant)
  const owners = { orders: ownersOfOrders, tidegate: variant.administrators }[row.resource] ?? []
  const eligible = (approver: string, spec: string): boolean =>
    spec === 'leads'
      ? variant.leads.includes(approver)
      : spec === 'owner'
        ? owners.includes(approver)
        : managerOf[self ?? ''] === approver && row.principal !== 'service:ci'
  // Those who left their group since they answered were counted when they did.
  const everEligible = (approver: string, spec: string): boolean =>
    eligible(approver, spec) || world.everEligible(approver, spec)
  const distinct = [...new Set(yeses.map(({ approver }) => approver))]
  return assignable(stages, distinct, everEligible)
    ? own
    : [...own, `${row.id} was approved by ${distinct.join(', ')}, and takes ${JSON.stringify(stages)}`]
}

function requiredStages({ role }: RequestRow, variant: ReturnType<typeof fullVariant>): readonly Stage[] {
  if (role === 'auditor') return []
  if (role === 'policy-author') return [{ approvers: ['leads'], count: 1 }]
  if (role === 'owner') return [{ approvers: ['owner'], count: 1 }]
  if (role === 'read') return variant.readNeedsLead ? [{ approvers: ['leads'], count: 1 }] : []
  if (role === 'write')
    return variant.noWriting ? [{ approvers: ['no one'], count: 1 }] : [{ approvers: ['leads'], count: 2 }]
  return [
    { approvers: ['manager'], count: 1 },
    { approvers: ['owner'], count: 1 },
  ]
}

/** Whether every stage can have people of its own. */
function assignable(
  stages: readonly Stage[],
  people: readonly string[],
  eligible: (approver: string, spec: string) => boolean,
): boolean {
  const [stage, ...rest] = stages
  if (!stage) return true
  if (stage.count === 0) return assignable(rest, people, eligible)
  return people.some(
    (person) =>
      stage.approvers.some((spec) => eligible(person, spec)) &&
      assignable(
        [{ ...stage, count: stage.count - 1 }, ...rest],
        people.filter((other) => other !== person),
        eligible,
      ),
  )
}
