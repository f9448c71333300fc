/** Bounds of the control plane's side of gateways, in one place. */

import type { Millis } from '@tidegate/core'
import { days, seconds } from '@tidegate/core'

export const gatewayServerLimits = {
  /** To the store, for what gateways ask all the time: one that the feed reads with, and some for who calls. */
  connections: 3,
  /** While a gateway waits, the feed compares itself with the store this often, whatever it was told. */
  lookEveryMs: 1_500,
  /** What was compared longer ago is told to nobody. Longer, so that as a rule nobody waits for the comparing. */
  believedForMs: 2_000,
  /** Changes that are remembered, for gateways that ask from where they were. Older ones: everything is told anew. */
  remembered: 10_000,
  /** A gateway that is heard of more often is not written down each time. */
  seenEvery: seconds(5),
  /** So long after its grant is over, a session whose end nobody has told counts as lost. */
  tellEndWithin: seconds(600),
  lostAtOnce: 500,
  /** Recordings that a gateway is told to delete, at a time. */
  forgetsTold: 200,
  /** Recordings that have been kept for long enough are asked to be deleted, so many in one transaction. */
  forgetsAtOnce: 500,
  /** Whoever waits for a piece of a recording, or for room for one, looks this often, whatever they are told. */
  viewLookEveryMs: 500,
  /** By which statements of one session are refused. A guard has some fifteen. */
  rules: 50,
  /** A report that was kept back while no server answered is not older than this. */
  oldestReport: days(30),
} as const satisfies Record<string, Millis | number>
