/** Bounds of the work on targets, in one place. */

export const targetLimits = {
  connector: {
    connectTimeoutMs: 5_000,
    /** Shorter than the lifecycle's provisioning timeout, so that an attempt has a result before it counts as interrupted. */
    operationTimeoutMs: 15_000,
    maxConnections: 4,
  },
  configurationsPerResource: 3,
  /** Verbs at once, over all targets of this process. */
  atOnce: 24,
  /**
   * Grants opened at once on one target: one that hangs leaves room for the others. The more, the more of them share
   * what an opening costs the target, and the longer each may take before others have to wait for their turn.
   */
  atOncePerResource: 12,
  /** How long one waits for its turn, before its operation even begins. */
  turnPatienceMs: 10_000,
} as const
