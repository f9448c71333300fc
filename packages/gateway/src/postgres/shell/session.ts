/** One session from the moment both sides are logged in: its deadline, its end, and what is told of both. */

import type { Socket } from 'node:net'
import { formatDuration, formatInstant, type Instant, type Millis } from '@tidegate/core'
import type { SessionMask } from '../../mask/mask.ts'
import { createDialogue, type Dialogue } from '../session/dialogue.ts'
import type { Budget } from '../wire/framer.ts'
import { noticeResponse, type Report } from '../wire/write.ts'
import { type Approvals, createApprovals } from './approval.ts'
import type { Clock } from './clock.ts'
import { createDeadline, type Deadline } from './deadline.ts'
import type { Departures } from './departures.ts'
import { sayFarewell } from './farewell.ts'
import type { Admission, ClientFacts, Login, PostgresSession, Reason } from './ports.ts'
import { type Relay, startRelay } from './relay.ts'
import { cancelAtTarget, type OpenTarget } from './target.ts'

export type SessionConfig = {
  readonly admission: Admission
  readonly login: Login
  readonly facts: ClientFacts
  readonly client: Socket
  readonly target: OpenTarget
  readonly clock: Clock
  readonly budget: Budget
  readonly departures: Pick<Departures, 'add'>
  /** Absent: results are shown as they are. */
  readonly mask: SessionMask | undefined
}

export type OpenSession = PostgresSession & {
  /** The client asks for what it runs to be cancelled. Resolves when the target has been told. */
  readonly cancel: () => Promise<void>
}

export function openSession(config: SessionConfig): OpenSession {
  const { admission, client, target, clock, departures } = config
  const { grant, recorder } = admission
  let why: Reason | undefined
  let ending = false

  const endWith = (report: Report): void => {
    if (ending) return
    ending = true
    // Whoever has said goodbye, or was told by the target, need not be told again.
    const isTold = why !== undefined || dialogue.isOver()
    why ??= report.message
    deadline.clear()
    approvals.giveUp('session-ended')
    relay.deafen()
    sayFarewell({ client, relay, report: isTold ? undefined : report }, letGo)
  }
  const isBusy = (): boolean => dialogue.isBusy() && !dialogue.isOver()
  const letGo = (): void => departures.add({ target, login: admission.target, isBusy: isBusy() })
  const endBecause = (sqlstate: string, message: string): void =>
    endWith({ severity: 'FATAL', sqlstate, message: `${message} (grant ${grant})` })

  const { dialogue, relay, approvals } = converse(config, {
    end: (report) => endWith({ ...report, message: `${report.message} (grant ${grant})` }),
    leave: () => (why ??= 'the client left'),
  })
  const deadline = createDeadline({
    clock,
    at: admission.deadline,
    warnBeforeMs: admission.warnBeforeMs,
    onWarn: (at) => relay.tell(warning(admission, at, clock.now())),
    onOver: () => endBecause('57P01', 'access has ended: its time is over'),
  })
  const finish = async (): Promise<Reason> => {
    await Promise.all([closing(client), closing(target.socket)])
    ending = true
    deadline.clear()
    approvals.giveUp('session-ended')
    relay.close()
    // One that cannot write has said so before.
    await recorder.end().catch(() => undefined)
    return why ?? 'the connection closed'
  }
  const closed = finish()

  /** Without a goodbye, what the client left behind does not go on. */
  const leave = (): void => {
    if (ending || why !== undefined || relay.saysGoodbye()) return
    ending = true
    why = 'the client closed the connection'
    deadline.clear()
    approvals.giveUp('session-ended')
    relay.close()
    client.destroy()
    letGo()
  }
  const targetLeft = (): void => endBecause('08006', 'the target closed the connection')
  client.on('end', leave).on('close', leave)
  target.socket.on('end', targetLeft).on('close', targetLeft)
  if (admission.whenRecorderFails === 'end') {
    void recorder.failed.then((reason) => endBecause('58030', `the recording of this session failed: ${reason}`))
  }

  return {
    ...factsOf(config),
    deadline: deadline.at,
    setDeadline(at) {
      if (!ending) moveDeadline(admission, { deadline, relay, to: at })
    },
    async end(reason) {
      endBecause('57P01', reason)
      await closed
    },
    closed,
    cancel: () => cancel({ admission, target, dialogue, approvals, clock }),
  }
}

const factsOf = ({ admission: { session, grant, principal }, login, facts, clock }: SessionConfig) =>
  ({ id: session, grant, principal, login, client: facts, startedAt: clock.now() }) as const

type Exits = { readonly end: (report: Report) => void; readonly leave: () => void }
type Conversation = { readonly dialogue: Dialogue; readonly relay: Relay; readonly approvals: Approvals }

/** What is said by either side, and what becomes of it. */
function converse({ admission, client, target, clock, budget, mask }: SessionConfig, exits: Exits): Conversation {
  const { recorder, guard, caps, approve } = admission
  const dialogue = createDialogue({ recorder, guard, mask, caps, now: clock.now, elapsedMs: clock.elapsedMs })
  const relay = startRelay({
    client,
    target: target.socket,
    listen: target.listen,
    dialogue,
    recorder,
    budget,
    readsRows: mask !== undefined || recorder.keepsRows,
    onEnd: exits.end,
    onTerminate: exits.leave,
    onQuestion: (question) => void approvals.ask(question).then(relay.settle),
  })
  const approvals = createApprovals({ approve, clock, tell: relay.tell })
  return { dialogue, relay, approvals }
}

function warning({ grant }: Admission, at: Instant, now: Instant): Buffer {
  const left = formatDuration((at - now) as Millis)
  return noticeResponse({
    severity: 'NOTICE',
    sqlstate: '00000',
    message: `access ends in ${left}, at ${formatInstant(at)} (grant ${grant})`,
    hint: `To stay longer: tidegate extend ${grant} --for 30m --reason "…"`,
  })
}

type Moving = { readonly deadline: Deadline; readonly relay: Pick<Relay, 'tell'>; readonly to: Instant }

function moveDeadline({ grant }: Admission, { deadline, relay, to }: Moving): void {
  const message = `access was extended: it ends at ${formatInstant(to)} (grant ${grant})`
  if (to > deadline.at()) relay.tell(noticeResponse({ severity: 'NOTICE', sqlstate: '00000', message }))
  deadline.move(to)
}

const closing = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })

type Cancelling = Pick<Conversation, 'dialogue' | 'approvals'> & Pick<SessionConfig, 'admission' | 'target' | 'clock'>

/** Only while the target works for this session: afterwards its backend may be working for another statement. */
async function cancel({ admission, target, dialogue, approvals, clock }: Cancelling): Promise<void> {
  if (approvals.giveUp('cancelled') || !dialogue.isBusy()) return
  admission.recorder.record({ type: 'cancel', at: clock.now(), statement: dialogue.current() })
  if (target.key !== undefined) await cancelAtTarget(admission.target, target.key)
}
