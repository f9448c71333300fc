/** The bounds of the command line, in one place. The server's are in the api package. */

export const limits = {
  /** A configuration file of the command line itself, and a remembered log. */
  ownFileBytes: 64 * 1024,
  tokenLength: 512,
  verifierKeyBytes: 1_024,
  receiptBytes: 1024 * 1024,
  /** One answer of the server: a page of 500 of its largest items fits. */
  answerBytes: 64 * 1024 * 1024,
  /** How deep directories of configuration files may nest. */
  directoryDepth: 16,
  /** Items that one list prints unless told otherwise, and at most. */
  listDefault: 100,
  listMax: 10_000,
  tailDefault: 20,
} as const

/** How patient things are, in milliseconds. */
export const patience = {
  /** Between looks at a pending request: at first, and at most. */
  pollMs: { first: 1_000, most: 5_000 },
  /** Between tries to open a target that is down. */
  targetMs: { first: 1_000, most: 30_000 },
  /** Between tries of a call that the network lost; their number is the number of tries after the first. */
  networkMs: [250, 1_000, 3_000],
  /** Ending a grant is worth more tries: what they cannot end runs until its expiry. */
  endingMs: [250, 500, 1_000, 2_000, 4_000],
  /** A grant that is being opened or closed. */
  busyMs: [250, 500, 1_000, 2_000, 4_000, 8_000],
  followMs: 2_000,
  /** Between looks at a grant whose access is offered on a port of this machine. */
  heldMs: 5_000,
  /** For someone to sign in and answer in their browser. */
  browserMs: 300_000,
  /** For a keychain, which may have to be unlocked first. */
  keychainMs: 60_000,
  /** An access token is made anew this long before it is over. */
  earlierMs: 30_000,
  /** Who makes one keeps the others waiting for so long at most; they look this often. */
  lockMs: 150_000,
  lockPollMs: 100,
  /** For one call, its answer included. Opening a target is the slowest. */
  callMs: 120_000,
} as const
