/** Bounds of the reconciler, in one place. */

export const reconcilerLimits = {
  /** Steps at once in this process. */
  workers: 12,
  /** Steps at once on one resource: one that hangs leaves room for the others. */
  perResource: 4,
  /** Grants of one resource in one step. */
  together: 50,
  /** How many that are due are looked through for those of the same resource. */
  lookAhead: 100,
  /** Even without a hint and without a known deadline it looks this often. */
  longestWaitMs: 30_000,
  firstRetryMs: 500,
  /** Closing is retried for ever; this is the slowest it gets. */
  slowestRetryMs: 60_000,
  overdueRequestsAtOnce: 200,
  /** Whoever works on the grant now is waited for this long before looking again. */
  busyRetryMs: 100,
  /** After a fault of our own, a grant is worked on again this much later. */
  faultRetryMs: 1_000,
  tendAtOnce: 4,
  housekeepingEveryMs: 3_600_000,
} as const
