/** Everything in a mask that could grow, and how far it may. */
export const limits = {
  /** What a target says of its tables: some hundred bytes for each masked column, and the texts of views. */
  catalogSizeBytes: 16 * 1024 * 1024,
  /** Views over views over views: beyond it, all that they give is masked. */
  viewPasses: 20,
  /** Times that a tree is gone through for names that stand for what is masked. Beyond it, every name does. */
  namePasses: 12,
  /** Bytes that a key of hashes has at least. */
  keyBytes: 16,
  /** Plans of texts that one session keeps, in each of two generations. */
  plans: 512,
  planTextLength: 8 * 1024,
  plansLength: 1024 * 1024,
} as const
