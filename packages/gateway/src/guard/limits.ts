/** Everything in a guard that could grow, and how far it may. */
export const limits = {
  /**
   * Characters of a text that is judged. A longer one is refused: parsing holds up every session of the process, at
   * worst for some tenths of a second at this length.
   */
  textLength: 128 * 1024,
  /** Characters of a text that is remembered. A longer one is parsed each time: to look it up, it would be read whole. */
  cachedTextLength: 16 * 1024,
  /** Texts remembered, in each of two generations. */
  cachedTexts: 4096,
  /** Characters remembered, in each of two generations. */
  cachedLength: 4 * 1024 * 1024,
  /** Skeletons that are told at sight: each is compared with every text that is not told by one before it. */
  templates: 16,
  /** A parser never gives memory back. One that has grown to this is replaced. */
  parserMemoryBytes: 256 * 1024 * 1024,
  /** Parsers that are loaded: the one in use, and one for the moment when that has to be thrown away. */
  parsers: 2,
  /** Different sets of rules whose guards are shared between sessions. */
  sharedGuards: 256,
  /** Items of a list in rules. */
  listItems: 1000,
  /** Bytes of a name in PostgreSQL: it cuts a longer one off, so that a rule with one would never hold. */
  nameBytes: 63,
  /** How long a statement may wait for a person, at most and unless a rule says otherwise. */
  longestAskMs: 3_600_000,
  askMs: 600_000,
  /** Groups that may answer by one rule. */
  approvers: 20,
  /** Tables that what a session used is told apart by. What is used beyond is only counted. */
  usedTables: 1000,
} as const
