/** Bounds of what a source pushes and asks, in one place. */

export const scimLimits = {
  filterLength: 4_096,
  /** Comparisons of one filter, and brackets within one another. */
  filterTerms: 50,
  filterDepth: 10,
  operations: 500,
  /** Of one group, in one request. */
  members: 20_000,
  text: 500,
  /** Such as mail addresses of one person. */
  values: 50,
  page: 100,
  pageMost: 200,
  /** A page with groups larger than this together is a shorter page. */
  membersOfPage: 20_000,
  /** Beyond this nothing is. */
  startIndex: 1_000_000_000,
} as const
