/** Every bound of recordings, in one place. */

const kibi = 1024
const mebi = 1024 * kibi

/** Of what writes. */
export const recorderLimits = {
  /** What was recorded is written and synced this long after the first of it was: half of the second that may be lost. */
  flushMs: 500,
  /** What is due so soon after it is written and synced with it. */
  flushTogetherMs: 50,
  /** Older than this and not on disk: pressure, so that no more than a second can be lost however slow the disk is. */
  lagMs: 1_000,
  /** What waits for the disk through a whole one of these has waited for too long: the recording has failed. */
  stallMs: 30_000,
  /** While there is something new, its head is anchored this often: with what is flushed then, or by itself. */
  anchorMs: 3_000,
  /** Events are encoded this many at a time, or sooner when they have this many bytes. */
  batchEvents: 64,
  batchBytes: 32 * kibi,
  /** Content of a block, before compression. One that has this much is written without waiting for the clock. */
  blockBytes: 128 * kibi,
  /** Smaller blocks are stored as they are: setting up a compressor costs more than it saves. */
  compressFromBytes: 384,
  /** The next block goes to a new segment. */
  segmentBytes: 64 * mebi,
  /** Of one session, not yet written: above `high` there is pressure, until it is below `low`. */
  session: { high: 1 * mebi, low: 256 * kibi },
  /** Of all sessions together. */
  all: { high: 64 * mebi, low: 48 * mebi },
  /** Of one session that goes on under pressure: beyond this its recording has failed. Holds the longest message. */
  sessionMost: 256 * mebi,
  /** Sessions whose turn it is at once: of many that end together, not all are written while their clients are told. */
  turnsAtOnce: 32,
  /** What one session writes before the next one's turn. */
  turnBytes: 1 * mebi,
  /** What the thread that writes is given at once, unless one turn has more. */
  atOnceBytes: 4 * mebi,
  /** A journal that has so much, or is so old, takes no more, and goes when its files are synced. */
  journalBytes: 64 * mebi,
  journalMs: 30_000,
  rows: { perStatementBytes: 64 * kibi, perSessionBytes: 16 * mebi },
  /** What a watcher may be behind. */
  watcher: { events: 1_024, bytes: 1 * mebi },
} as const

export type RecorderLimits = { readonly [K in keyof typeof recorderLimits]: Widened<(typeof recorderLimits)[K]> }
type Widened<T> = T extends number ? number : { readonly [K in keyof T]: Widened<T[K]> }

/** Of what reads: a file may be hostile. */
export const readerLimits = {
  headerBytes: 16 * kibi,
  /** Of one record in the file, and of a block's content after decompression: the format's own. */
  recordBytes: 1 * mebi,
  contentBytes: 1 * mebi,
  /** An event of more is passed over, and said to be there. */
  eventBytes: 64 * mebi,
  /** Parameters, or cells, of one event. */
  eventValues: 1_000_000,
  tombstoneBytes: 64 * kibi,
  saltsPerBlock: 1_000_000,
  /** Read from a file at once. */
  readBytes: 256 * kibi,
  /** How often a recording that is being written is looked at. */
  followEveryMs: 250,
} as const
