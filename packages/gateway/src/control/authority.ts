/** Who may come in, and to what: by what the control plane told, and never by what is too old. */

import { formatInstant, type GrantId, type Instant, isId, makeId } from '@tidegate/core'
import type { Guards } from '../guard/guard.ts'
import type {
  Admission,
  Authority,
  ClientFacts,
  Foreseen,
  Login,
  TargetLogin,
  Turned,
} from '../postgres/shell/ports.ts'
import type { Recorder, Recorders } from '../recording/write/recorder.ts'
import { isNameOf, makeOf, type Share } from '../share.ts'
import type { Opened, Release } from './contract.ts'
import { codeOf } from './control-plane.ts'
import { controlLimits as limits } from './limits.ts'
import type { Logins } from './logins.ts'
import type { Marks } from './marks.ts'
import type { Questions } from './questions.ts'
import { type LiveGrant, type Register, unexplained } from './register.ts'
import type { Reports } from './reports.ts'
import { type Restraint, restrain } from './restraint.ts'
import { type Admitted, wordsOf } from './presence.ts'
import type { Sessions } from './sessions.ts'
import type { Statements } from './statements.ts'
import type { Log } from './settings.ts'
import { createTally } from './tally.ts'

export type AuthorityDeps = {
  readonly gateway: string
  readonly share: Share
  /** A server was heard recently enough to believe what it said. */
  readonly isFresh: () => boolean
  readonly now: () => Instant
  readonly random: (count: number) => Uint8Array
  readonly register: Pick<Register, 'get' | 'isNew'>
  readonly questions: Pick<Questions, 'ask'>
  readonly logins: Pick<Logins, 'of' | 'asked' | 'forget'>
  readonly sessions: Pick<Sessions, 'admit'>
  readonly reports: Pick<Reports, 'isFull'>
  readonly statements: Pick<Statements, 'approveIn'>
  readonly marks: Pick<Marks, 'put'>
  readonly recorders: Recorders
  readonly guards: Guards
  readonly log: Log
}

type Coming = { readonly grant: LiveGrant; readonly login: Login; readonly client: ClientFacts }

export function createAuthority(deps: AuthorityDeps): Authority {
  const { isFresh, register, questions, sessions } = deps
  const checkFresh = (): void => {
    if (!isFresh()) throw new Error('no server of the control plane has answered for too long')
  }
  const askAbout = async (user: string): Promise<LiveGrant | undefined> => {
    if (!isId('grant', user)) return undefined
    await questions.ask(user)
    return register.get(user)
  }
  return {
    async lookup({ user }) {
      checkFresh()
      return (register.get(user) ?? (await askAbout(user)))?.facts.verifier
    },
    renewed: async ({ user }) => (await askAbout(user))?.facts.verifier,
    foresee: (login) => (isFresh() ? foresee(deps, login) : undefined),
    async admit(login, client) {
      checkFresh()
      const grant = register.get(login.user)
      if (grant === undefined) return turned(unexplained)
      const problem = problemOf(deps, grant, login)
      if (problem !== undefined) return turned(problem)
      const coming: Coming = { grant, login, client }
      const opened = openedReport(deps, coming)
      const admitted = sessions.admit(opened)
      try {
        const admission = await letIn(deps, coming, { opened, admitted })
        if (admission.outcome === 'turned-away') admitted.leave()
        return admission
      } catch (error) {
        admitted.leave()
        throw error
      }
    },
  }
}

const turned = (reason: string): Turned => ({ outcome: 'turned-away', reason })

function problemOf({ now, reports }: AuthorityDeps, { facts, expiresAt }: LiveGrant, { database }: Login) {
  if (expiresAt <= now()) return `access has ended: its time is over (grant ${facts.grant})`
  if (!facts.databases.includes(database)) {
    const shown = wordsOf(database, 64)
    return `grant ${facts.grant} is not for the database "${shown}"; it is for ${facts.databases.join(', ')}`
  }
  if (reports.isFull()) return 'this gateway has too much to report to the control plane; try again later'
  return undefined
}

/**
 * By the target's login, while nothing but the end of the grant has changed since that was asked for. The first to knock
 * with a grant has it asked for; nobody else who has proved nothing does.
 */
function foresee(deps: AuthorityDeps, login: Login): Foreseen | undefined {
  const { register, logins } = deps
  const grant = register.get(login.user)
  if (grant === undefined || problemOf(deps, grant, login) !== undefined) return undefined
  const isFirst = register.isNew(grant.facts.grant)
  const asked = isFirst ? logins.of(grant) : logins.asked(grant)
  if (asked === undefined) return undefined
  // Whoever is admitted asks again, and is told what went wrong.
  const target = foreseenTarget(deps, { grant, login }).catch(() => undefined)
  return { ...ownerOf(grant), isFirst, target, deadline: grant.expiresAt, over: asked.over }
}

type Foreseeing = Pick<Coming, 'grant' | 'login'>

async function foreseenTarget(deps: AuthorityDeps, { grant, login }: Foreseeing): Promise<TargetLogin | undefined> {
  const release = await releaseFor(deps, grant)
  if (release === undefined || release.rules !== grant.facts.rules) return undefined
  const restrained = restrain(deps, release)
  return restrained.outcome === 'unusable' ? undefined : targetOf(login, release, restrained.restraint)
}

/** The recording is found by this time too, so it is when the session was admitted, and not when it opened. */
function openedReport({ now, random, share }: AuthorityDeps, { grant, login, client }: Coming): Opened {
  const at = now()
  return {
    what: 'opened',
    session: makeOf(
      () => makeId('session', at, random(10)),
      (id) => isNameOf(share, id),
    ),
    at: formatInstant(at),
    grant: grant.facts.grant,
    database: login.database,
    client: {
      address: client.address.slice(0, 64),
      port: client.port,
      tls: client.tls,
      application: wordsOf(client.applicationName, limits.applicationLength),
    },
  }
}

type Entering = { readonly opened: Opened; readonly admitted: Admitted }

async function letIn(deps: AuthorityDeps, coming: Coming, entering: Entering): Promise<Admission | Turned> {
  const { grant } = coming
  const release = await releaseFor(deps, grant)
  if (release === undefined) return turned(unexplained)
  if (!(await isInForce(deps, grant, release))) return turned('the rules of this access are changing; try again')
  entering.admitted.heldTo(release.rules)
  const restrained = restrain(deps, release)
  if (restrained.outcome === 'unusable') {
    deps.log('rules-unusable', { grant: grant.facts.grant, problems: restrained.problems })
    return turned('the rules of this access cannot be held to here; whoever runs the gateway finds out why in its log')
  }
  await mark(deps, entering.opened, release)
  const over = entering.admitted.over()
  if (over !== undefined) return turned(over)
  return admissionOf(deps, { ...coming, ...entering, release, restraint: restrained.restraint })
}

/**
 * The rules that came with the login and those that were told are the same ones. Where they differ, one of the two is
 * older, and nobody here knows which.
 */
async function isInForce({ register, questions, logins }: AuthorityDeps, { facts }: LiveGrant, { rules }: Release) {
  const isTold = (): boolean => register.get(facts.grant)?.facts.rules === rules
  if (isTold()) return true
  await questions.ask(facts.grant)
  if (isTold()) return true
  logins.forget(facts.grant)
  return false
}

/** `undefined`: the control plane says that there is no such access any more. */
async function releaseFor({ logins, log }: AuthorityDeps, grant: LiveGrant): Promise<Release | undefined> {
  try {
    return await logins.of(grant).login
  } catch (error) {
    log('login-not-released', { grant: grant.facts.grant, why: String(error) })
    if (['grant-ended', 'not-found'].includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}

/** A disk on which nothing can be written is the recording's fault first, and policy says what becomes of that. */
async function mark({ marks, log }: AuthorityDeps, opened: Opened, { recording }: Release): Promise<void> {
  try {
    await marks.put(opened)
  } catch (error) {
    log('mark-failed', { session: opened.session, why: String(error) })
    if (recording.whenItFails === 'end') throw error
  }
}

type Letting = Coming & Entering & { readonly release: Release; readonly restraint: Restraint }

function admissionOf(deps: AuthorityDeps, letting: Letting): Admission {
  const { grant, opened, admitted, release, restraint, login } = letting
  const { guard, caps, mask } = restraint
  const tally = createTally()
  return {
    outcome: 'admitted',
    session: opened.session,
    ...ownerOf(grant),
    target: targetOf(login, release, restraint),
    deadline: deps.register.get(grant.facts.grant)?.expiresAt ?? grant.expiresAt,
    warnBeforeMs: grant.facts.warnBeforeSeconds * 1_000,
    ...(guard && { guard: tally.watching(guard) }),
    ...(caps && { caps }),
    ...(mask && { mask }),
    recorder: admitted.recordedBy({ recorder: recorderFor(deps, letting), tally }),
    whenRecorderFails: release.recording.whenItFails,
    approve: deps.statements.approveIn(opened.session),
  }
}

const ownerOf = ({ facts }: LiveGrant): Pick<Admission, 'grant' | 'principal'> => ({
  grant: facts.grant as GrantId,
  principal: facts.principal,
})

function targetOf({ database }: Login, release: Release, { parameters }: Restraint): TargetLogin {
  const { host, port, user, secret, tls, ca } = release
  return { host, port, database, user, secret, tls, parameters, ...(ca !== undefined && { ca }) }
}

function recorderFor({ recorders, gateway }: AuthorityDeps, { grant, opened, admitted, release }: Letting): Recorder {
  const { principal, resource, role } = grant.facts
  const { text, parameters, rows } = release.recording
  const started = Date.parse(opened.at) as Instant
  return recorders.open({
    session: { session: opened.session, grant: opened.grant, principal, resource, role, gateway, started },
    policy: { text, parameters, rows },
    anchor: admitted.anchor,
  })
}
