/** Bounds of who is asking, in one place. */

import type { Millis } from '@tidegate/core'
import { minutes, seconds } from '@tidegate/core'

export const identityLimits = {
  /** Someone who went to their provider comes back within this. */
  attempt: minutes(15),
  /** How far a provider's clock may be off. */
  skew: seconds(30),
  /** What a provider may take to answer. */
  providerPatience: seconds(10),
  /** What a provider says of itself is read anew this often; its keys are at every sign-in. */
  metadataKept: minutes(15),
  /** A logout token is not older than this. */
  logoutToken: minutes(2),
  /** What a browser holds is changed this often, */
  rotateEvery: minutes(10),
  /** and what it held before is good this much longer, for requests that are under way. */
  rotationGrace: seconds(60),
  /** That a login is used is written down this often. */
  seenEvery: seconds(60),
  /** What a command line shows with each call, */
  accessToken: minutes(15),
  /** what a browser brings back to it, */
  authorizationCode: minutes(1),
  /** and how long a person has to answer for one without a browser. */
  deviceAuthorization: minutes(10),
  /** It asks no more often than this, */
  devicePolls: seconds(5),
  /** and this many wait at once for all; one more is told to come back. */
  devicesWaiting: 1_000,
  /** A proof of a key counts so long, on a clock that is off by as much. */
  keyProof: seconds(60),
  /** Of one person at once; one more ends the oldest. */
  loginsOfOne: 50,
  /** Of what a provider says of one person. */
  groupsOfOne: 500,
  groupName: 200,
} as const satisfies Record<string, Millis | number>
