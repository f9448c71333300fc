/** Bounds of who is asking, in one place. */

import type { Millis } from '@tidegate/core'
import { days, hours, minutes, seconds } from '@tidegate/core'

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
  /** A nonce for one counts so long. Together they are no longer than a proof that was used is remembered. */
  proofNonce: seconds(120),
  /** Of one person at once; one more ends the oldest. */
  loginsOfOne: 50,
  /** Of what a provider says of one person. */
  groupsOfOne: 500,
  groupName: 200,
  /** What an issuer of workloads’ tokens may be allowed at most: a token of it counts no longer after it was made. */
  workloadTokenAge: hours(24),
  workloadTokenBytes: 8 * 1024,
  /** An issuer’s keys are read anew this often, and never used longer without having been, */
  issuerKeysKept: minutes(10),
  /** and once more in between, no more often than this, when a token names one that is not among them. */
  issuerKeysAgain: seconds(30),
  issuerAnswerBytes: 256 * 1024,
  issuerKeys: 100,
  /** A service or agent is believed no longer than this before it has to prove again who it is, */
  machineLogin: hours(6),
  /** and so long where nobody said otherwise. */
  machineLoginUsual: minutes(15),
  /** Of one service or agent at once; one more ends the oldest. */
  machineLoginsOfOne: 200,
  /** What a service signs with its own key is good for this long at most. */
  clientAssertion: minutes(5),
  /** Who is refused is counted for so long: */
  refusalsCounted: hours(1),
  /** so many times of the same are written down one by one, */
  refusalsTold: 5,
  /** and so many that differ, for each issuer, provider or person; */
  refusalKinds: 50,
  /** of so many a human is told. */
  refusalsLoud: 100,
  serviceSecret: days(366),
  /** The one in use and the one that takes its place. */
  secretsOfOne: 2,
} as const satisfies Record<string, Millis | number>
