/** The bounds of what gateways and the control plane say to one another. */

export const gatewayLimits = {
  /** Longest that a server keeps a sync waiting. */
  syncWaitMs: 20_000,
  /** Grants that a sync asks about by name. */
  about: 100,
  /** Reports in one call. */
  reports: 500,
  enrolmentSeconds: 3_600,
  tokenSeconds: 600,
  /** How far the clock of a gateway that signs in may be off. */
  signInSkewSeconds: 60,
  /** Not heard of for longer than this, a gateway is not connected, and nobody is sent to it. */
  goneAfterSeconds: 30,
  /** Clients are told this long before the end of their grant. */
  warnBeforeSeconds: 120,
} as const
