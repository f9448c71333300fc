/** Every bound of the embedded PostgreSQL, in one place. Times are in milliseconds. */

/** Long enough for crash recovery to replay the log of a busy store. */
export const startTimeoutMs = 120_000

/** How a postmaster is told to stop: politely, then firmly, then by the kernel. Each step waits before the next. */
export const stopSteps = {
  fast: [
    { signal: 'SIGINT', waitMs: 30_000 },
    { signal: 'SIGQUIT', waitMs: 10_000 },
    { signal: 'SIGKILL', waitMs: 5_000 },
  ],
  immediate: [
    { signal: 'SIGQUIT', waitMs: 10_000 },
    { signal: 'SIGKILL', waitMs: 5_000 },
  ],
} as const

/** How often a process that is not our child is looked at, to see whether it has gone. */
export const pollIntervalMs = 25

/** A port that was free a moment ago can be taken by the time PostgreSQL binds it. */
export const freePortAttempts = 3

/** The lines of PostgreSQL's log that an error carries. */
export const faultLogLines = 20

/** `postgres.log` is moved to `postgres.log.1`, over the one before, when it reaches this size. */
export const logFileSizeBytes = 4 * 1024 * 1024

export const passwordSizeBytes = 32
