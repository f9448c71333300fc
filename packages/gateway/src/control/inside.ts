/** Everything behind the door of a gateway: what it knows of grants, and how it keeps up with the control plane. */

import { join } from 'node:path'
import { gatewayLimits } from '@tidegate/api'
import { createGuards } from '../guard/guard.ts'
import type { Authority, PostgresSession, Reason } from '../postgres/shell/ports.ts'
import { putBackJournals } from '../recording/put-back.ts'
import { isNameOf, type Share } from '../share.ts'
import { systemClock as recordingClock } from '../recording/clock.ts'
import { createRecorders, type Recorders } from '../recording/write/recorder.ts'
import { writingFault } from '../recording/write/writing-fault.ts'
import { createAuthority } from './authority.ts'
import { readRelease, type SyncAnswer } from './contract.ts'
import type { ControlPlane, PutOut } from './control-plane.ts'
import { startFeed } from './feed.ts'
import { createForgetting, type Forgetting } from './forgetting.ts'
import { recoverSessions, type Recovery } from './left-over.ts'
import { controlLimits as limits } from './limits.ts'
import { createLogins, type Logins } from './logins.ts'
import { type Marks, openMarks } from './marks.ts'
import { GatewayRefusal } from './refusal.ts'
import { createQuestions, type Questions } from './questions.ts'
import { createRegister, otherRules, type Register } from './register.ts'
import { createReports, type Reports } from './reports.ts'
import { pause } from './retry.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { createStatements, type Statements } from './statements.ts'
import type { ServerClock } from './server-clock.ts'
import type { GatewayOptions } from './settings.ts'
import { createViews, type Views } from './views.ts'

export type Inside = {
  readonly authority: Authority
  readonly opened: (session: PostgresSession) => void
  /** Resolves when the control plane was asked once, and did not refuse the identity. */
  readonly first: Promise<void>
  readonly stop: () => Promise<void>
  readonly lost: Promise<string>
}

type InsideDeps = {
  readonly options: GatewayOptions
  readonly plane: ControlPlane
  readonly clock: ServerClock
  readonly gateway: string
  readonly share: Share
  readonly random: (count: number) => Uint8Array
  /** Takes no more connections, and ends what there is. */
  readonly stopListening: (reason: Reason) => Promise<void>
}

type Parts = {
  readonly marks: Marks
  readonly reports: Reports
  readonly sessions: Sessions
  readonly statements: Statements
  readonly register: Register
  readonly questions: Questions
  readonly logins: Logins
  readonly recorders: Recorders
  readonly views: Views
}

export async function connectInside(deps: InsideDeps): Promise<Inside> {
  const { options, plane, clock, gateway, share, random } = deps
  await putBack(options, share)
  const [guards, parts] = await Promise.all([createGuards(), partsOf(deps)])
  const { marks, reports, sessions, register, questions, logins } = parts
  const stopping = new AbortController()
  const recovery = recoverSessions({
    left: marks.left,
    dir: recordingsIn(options),
    now: clock.now,
    reports,
    signal: stopping.signal,
  })
  const forgetting = createForgetting({
    dir: recordingsIn(options),
    now: clock.now,
    elapsedMs: clock.elapsedMs,
    isInUse: (session) => sessions.has(session) || recovery.has(session),
    reports,
    log: options.log,
  })
  const feed = startFeed({
    plane,
    clock,
    random,
    freshMs: options.openWithoutServerMs ?? limits.openWithoutServerMs,
    questions,
    share,
    take: (answer) => obey(answer, { ...parts, share, recovery, forgetting }),
    turned: () => logins.forgetOver(clock.now(), register.list()),
    log: options.log,
  })
  const lost = feed.over.then((end) => (end === undefined ? new Promise<never>(() => undefined) : lose(parts, end)))
  let stopped: Promise<void> | undefined
  return {
    authority: createAuthority({
      ...parts,
      isFresh: feed.isFresh,
      gateway,
      share,
      guards,
      now: clock.now,
      random,
      log: options.log,
    }),
    opened: sessions.opened,
    first: feed.first.then((refused) => (refused === undefined ? undefined : refuse(options, gateway))),
    stop: () => (stopped ??= stop(deps, parts, { feed, recovery, forgetting, stopping })),
    lost,
  }
}

/** Before anything is read of recordings, or added to them. */
export async function putBack({ dir, log }: GatewayOptions, share?: Share): Promise<void> {
  const recordings = recordingsIn({ dir })
  try {
    const missing = await putBackJournals(recordings, share)
    if (missing > 0) log('recordings-put-back', { bytes: missing })
  } catch (error) {
    throw new GatewayRefusal(
      'setting',
      `What was recorded last could not be put back into the recordings in ${recordings} (${writingFault(error)}).`,
      'Make the folder writable, with room in it, and start again. Nothing is lost meanwhile.',
    )
  }
}

async function partsOf({ options, plane, clock, share, random }: InsideDeps): Promise<Parts> {
  const marks = await openMarks(join(options.dir, 'sessions'), share)
  const reports = createReports({
    send: (reports) => plane.ask((client, call) => client.reportSessions({ reports }, call)),
    settled: (report) => {
      if (report.what === 'ended') marks.remove(report.session)
      else if (report.what === 'statement') statements.told(report.statement)
    },
    log: options.log,
    random,
    most: { atOnce: gatewayLimits.reports, waiting: limits.reports },
  })
  const statements = createStatements({
    ask: (question) => plane.ask((client, call) => client.askStatement(question, call)),
    reports,
    clock,
    random,
    log: options.log,
  })
  const register = createRegister()
  const sessions = createSessions({ now: clock.now, reports, left: marks.remove })
  const waitMs = limits.viewRoomMs
  return {
    marks,
    reports,
    sessions,
    views: createViews({
      dir: recordingsIn(options),
      send: async (sending) => {
        const sent = plane.ask((client, call) => client.sendRecording({ ...sending, waitMs }, call), waitMs)
        return (await sent).outcome
      },
      isOpen: sessions.has,
      random,
      log: options.log,
    }),
    statements,
    register,
    questions: createQuestions(clock.elapsedMs),
    logins: createLogins(async (id) =>
      readRelease(await plane.ask((client, call) => client.releaseLogin({ id }, call))),
    ),
    // Its waits are spans of time; what it writes down is the time of the server.
    recorders: createRecorders({
      dir: recordingsIn(options),
      clock: { now: clock.now, after: recordingClock.after },
      random,
      share,
    }),
  }
}

const recordingsIn = ({ dir }: Pick<GatewayOptions, 'dir'>): string => join(dir, 'recordings')

type Obeying = Parts & { readonly share: Share; readonly recovery: Recovery; readonly forgetting: Forgetting }

/** Does what the control plane says has changed. What is about a session of another worker is for that one. */
function obey(answer: SyncAnswer, obeying: Obeying): void {
  const { share, register, logins, sessions, statements, reports, recovery, views, forgetting } = obeying
  const isOurs = ({ session }: { readonly session: string }): boolean => isNameOf(share, session)
  const { ended, moved } = register.take(answer)
  for (const { grant, reason } of ended) {
    logins.forget(grant)
    sessions.endGrant(grant, reason)
  }
  for (const { facts, expiresAt } of moved) sessions.moveGrant(facts.grant, expiresAt)
  for (const told of answer.grants) {
    sessions.endOthers(told, otherRules)
    const grant = register.get(told.grant)
    if (grant !== undefined) logins.forgetOthers(grant)
  }
  views.take((answer.views ?? []).filter(isOurs))
  forgetting.take((answer.forget ?? []).filter(isOurs))
  for (const { session, reason } of answer.kill.filter(isOurs)) {
    if (sessions.has(session)) sessions.end(session, reason)
    // It is told to end it until it has said that it is over.
    else if (!recovery.has(session) && !reports.hasEndOf(session)) {
      reports.add({
        what: 'ended',
        session,
        at: answer.now,
        reason: 'this gateway does not have the session',
        statements: 0,
        refused: 0,
      })
    }
  }
  // After what ends: a session that is over runs nothing any more.
  statements.take(answer.statements.filter(isOurs))
}

/** Whoever was put out lets nobody in and keeps nothing, and there is nobody to tell of it but those who are here. */
async function lose(parts: Parts, end: PutOut): Promise<string> {
  const { register, questions, logins, sessions, reports, views } = parts
  register.clear()
  questions.stop()
  logins.clear()
  reports.stop()
  views.stop()
  await sessions.endAll('this gateway was put out of Tidegate')
  return `${end.message}: it was removed, or enrolled anew elsewhere`
}

function refuse({ dir }: GatewayOptions, gateway: string): never {
  throw new GatewayRefusal(
    'unknown',
    `The control plane does not take the identity of gateway ${gateway} in ${dir}: it was removed, or enrolled anew elsewhere.`,
    `Look at the clock of this machine. To enrol again, remove gateway.key and identity.json there, and ask an administrator for a token: tidegate gateways new ${gateway}`,
  )
}

type Stopping = {
  readonly feed: { readonly stop: () => void }
  readonly recovery: Recovery
  readonly forgetting: Forgetting
  readonly stopping: AbortController
}

/**
 * First nobody is led here any more. The way to the control plane stays open until it has been told the rest, or does
 * not want to know.
 */
async function stop(deps: InsideDeps, parts: Parts, stopped: Stopping): Promise<void> {
  const { feed, recovery, forgetting, stopping } = stopped
  const { questions, reports, recorders, marks, views } = parts
  const { plane } = deps
  stopping.abort()
  questions.stop()
  await atMost(limits.signOffMs, signOff(deps))
  await deps.stopListening('the gateway is stopping')
  await recovery.done
  await recorders.close()
  views.stop()
  await forgetting.stop()
  await atMost(limits.farewellMs, reports.drained())
  feed.stop()
  reports.stop()
  plane.stop()
  await marks.settled()
}

async function signOff({ options, plane }: InsideDeps): Promise<void> {
  try {
    await plane.ask((client, call) => client.signOffGateway({}, call))
  } catch (error) {
    options.log('sign-off-failed', { why: String(error) })
  }
}

async function atMost(ms: number, wanted: Promise<void>): Promise<void> {
  const done = new AbortController()
  await Promise.race([wanted, pause(ms, done.signal)])
  done.abort()
}
