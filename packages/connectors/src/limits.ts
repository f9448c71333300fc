/** Limits of this package. Those of one resource (`TargetLimits`) come with the target. */

export const limits = {
  /** An idle connection to a target is kept this long for the next verb. */
  idleConnectionMs: 30_000,
  /** How long `close` waits for the sessions it ended to be gone before it reports them. */
  sessionsEndWithinMs: 10_000,
  /** How long `close` waits for connections that were being made when the login was shut. */
  connectionsSettleWithinMs: 3_000,
  /** Longest pause between two looks at the sessions that are ending. */
  pollAtMostMs: 100,
  /** What is to be closed waits so long for what is being closed, to be closed together with what comes meanwhile. */
  gatherAtMostMs: 50,
  /** One backend of the target makes logins one after the other, and has no more than its share of a busy machine. */
  openedTogether: 6,
  /** A verb waits at most this long for a lock that someone holds on the target. */
  lockTimeoutMs: 5_000,
  /** How often a target that works looks whether its client is still there. */
  noticeLeavingMs: 1_000,
  /** PostgreSQL cuts longer names without a word, so they are refused. */
  identifierBytes: 63,
  rolePrefixLength: 20,
  /** Of names in one message or one line of a survey; the rest is counted. */
  namesListed: 5,
} as const
