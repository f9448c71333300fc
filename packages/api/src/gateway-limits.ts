/** The bounds of what gateways and the control plane say to one another. */

export const gatewayLimits = {
  /** Longest that a server keeps a sync waiting. */
  syncWaitMs: 20_000,
  /** Longest that an answer to a sync goes on after what it told first. */
  syncFollowMs: 2_000,
  /** Processes that a gateway may be. */
  workers: 64,
  /** Grants that a sync asks about by name. */
  about: 100,
  /** Reports in one call. */
  reports: 500,
  /** Of what a statement says, and of its parameters, when a person is asked about it. */
  statementBytes: 64 * 1024,
  /** Groups that may answer by one rule, and rules that may ask at once. */
  approvers: 20,
  /** Longest that a statement waits for a person. */
  statementSeconds: 3_600,
  enrolmentSeconds: 3_600,
  tokenSeconds: 600,
  /** How far the clock of a gateway that signs in may be off. */
  signInSkewSeconds: 60,
  /** Not heard of for longer than this, a gateway is not connected, and nobody is sent to it. */
  goneAfterSeconds: 30,
  /** Of a recording that is read from afar: in one piece, and how many wait for whoever reads. */
  pieceBytes: 256 * 1024,
  piecesWaiting: 8,
  tombstoneLength: 65_536,
  /** Longest that a server keeps whoever reads, or sends, waiting. */
  viewWaitMs: 20_000,
  /** Whoever has not asked for longer than this reads no more, and what waits is thrown away. */
  viewGoneAfterSeconds: 60,
  viewsPerPerson: 8,
  viewsPerGateway: 32,
  /** What roles gave and what was used: over so long unless said, and at most. */
  usageDays: 90,
  usageDaysMax: 3_650,
} as const
