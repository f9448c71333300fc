/** A statement waits for an approver: the client is told, now and then, and may give up. */

import { after, type Instant, type Millis } from '@tidegate/core'
import { postgresLimits as limits } from '../limits.ts'
import { approversOf } from '../../guard/asking.ts'
import type { Answer, Question, Verdict } from '../session/state.ts'
import { noticeResponse } from '../wire/write.ts'
import { type Clock, createAlarm } from './clock.ts'
import type { Approve, GivenUp } from './ports.ts'

export type Approvals = {
  /** Resolves with what is to be done with the statement. */
  readonly ask: (question: Question) => Promise<Verdict>
  /** Whoever waits gives up. Whether there was anyone. */
  readonly giveUp: (why: GivenUp) => boolean
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
    async ask({ settle, ...shown }) {
      if (approve === undefined) return settle('no')
      const controller = new AbortController()
      waiting = controller
      const notice = noticeOf(shown)
      const reminder = createAlarm(clock, () => {
        tell(notice)
        reminder.set(remindAt())
      })
      tell(notice)
      reminder.set(remindAt())
      const answer = await Promise.race([answerOf(approve, shown, controller.signal), givenUp(controller.signal)])
      reminder.clear()
      waiting = undefined
      controller.abort()
      return settle(answer)
    },
    giveUp(why) {
      waiting?.abort(why)
      return waiting !== undefined
    },
  }
}

type Shown = Omit<Question, 'settle'>

const noticeOf = (shown: Shown): Buffer =>
  noticeResponse({
    severity: 'NOTICE',
    sqlstate: '00000',
    message: `waiting for approval of this statement: ${shown.message}`,
    detail: `Asked: ${listed(approversOf(shown))}, who see it with: tidegate statements`,
    hint: `The rule "${shown.rule}" of your access asks for it. Cancel to give up.`,
  })

/** `owner`; `dba or owner`; `owner, who is in leads or dba too`. */
const listed = ([first = [], ...others]: readonly (readonly string[])[]): string =>
  [first.join(' or '), ...others.map((list) => `who is in ${list.join(' or ')} too`)].join(', ')

/** Who cannot be asked has not said yes. */
async function answerOf(...[approve, shown, signal]: [Approve, Shown, AbortSignal]): Promise<Answer> {
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
