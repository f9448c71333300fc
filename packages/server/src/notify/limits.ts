/** Bounds of telling people, in one place. */

import type { Millis } from '@tidegate/core'
import { days, hours, minutes, seconds } from '@tidegate/core'

export const notifyLimits = {
  /** What a receiver may take to be connected to, TLS included, */
  connect: seconds(5),
  /** and to have answered by. */
  answer: seconds(10),
  /** Of an answer nothing is kept. One that goes on past this is cut off. */
  answerBytes: 64 * 1024,
  /** Whoever sends is believed to be at it for this long after each message: longer than one attempt takes. */
  turn: seconds(30),
  /** Read at once. */
  messages: 50,
  /** Entries looked through at once for those that a webhook gets. */
  lookThrough: 5_000,
  /** Entries that are nothing to a webhook are passed by in its row once there are this many. */
  passedBy: 500,
  firstRetryMs: 1_000,
  slowestRetryMs: 300_000,
  /** A receiver that asks to be left alone longer than this is tried after it. */
  longestPause: hours(1),
  /** This many attempts without a success are a finding. */
  loud: 5,
  /** An older message than this is given up when an attempt has failed, and that is an entry; */
  tooOld: days(3),
  /** in lots of what is older still by this, so that a receiver that is gone fills no log. */
  givenUpEvery: hours(1),
  /** Even without word of new entries it looks this often, */
  longestWaitMs: 5_000,
  /** at what another server has in hand, */
  heldElsewhere: seconds(1),
  /** and whether each webhook could send at all. */
  checkEvery: minutes(1),
  /** Messages that wait are counted this far. */
  counted: 100,
} as const satisfies Record<string, Millis | number>
