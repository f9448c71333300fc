/** A statement waits for an approver: the client is told, now and then, and may give up. */

import { after, type Instant, type Millis } from '@tidegate/core'
import { postgresLimits as limits } from '../limits.ts'
import type { Question, Verdict } from '../session/state.ts'
import { noticeResponse } from '../wire/write.ts'
import { type Clock, createAlarm } from './clock.ts'
import type { Approve } from './ports.ts'

export type Approvals = {
  /** Resolves with what is to be done with the statement. */
  readonly ask: (question: Question) => Promise<Verdict>
  /** Whoever waits gives up. Whether there was anyone. */
  readonly giveUp: () => boolean
}

type ApprovalsConfig = {
  readonly approve: Approve | undefined
  readonly clock: Clock
  readonly tell: (message: Buffer) => void
}

export function createApprovals({ approve, clock, tell }: ApprovalsConfig): Approvals {
  let waiting: AbortController | undefined

  const remindAt = (): Instant => after(clock.now(), limits.approvalNoticeMs as Millis)

  return {
    async ask({ statement, rule, message, text, parameters, settle }) {
      if (approve === undefined) return settle('no')
      const controller = new AbortController()
      waiting = controller
      const notice = noticeResponse({
        severity: 'NOTICE',
        sqlstate: '00000',
        message: `waiting for approval of this statement: ${message}`,
        hint: `The rule "${rule}" of your access asks for it. Cancel to give up.`,
      })
      const reminder = createAlarm(clock, () => {
        tell(notice)
        reminder.set(remindAt())
      })
      tell(notice)
      reminder.set(remindAt())
      const shown = { statement, rule, text, ...(parameters && { parameters }) }
      const answer = await Promise.race([answerOf(approve, shown, controller.signal), givenUp(controller.signal)])
      reminder.clear()
      waiting = undefined
      controller.abort()
      return settle(answer)
    },
    giveUp() {
      waiting?.abort()
      return waiting !== undefined
    },
  }
}

/** Who cannot be asked has not said yes. */
async function answerOf(...[approve, shown, signal]: [Approve, Parameters<Approve>[0], AbortSignal]) {
  try {
    return await approve(shown, signal)
  } catch {
    return 'no'
  }
}

const givenUp = (signal: AbortSignal): Promise<'given-up'> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve('given-up'), { once: true })
  })
