/** Everything in policy that can grow, and how far. */
export const policyLimits = {
  policies: 5_000,
  fileSizeBytes: 1_048_576,
  /**
   * Operators and nesting of one policy. Cedar walks an expression by recursion, on V8's stack and a small one of its
   * own. Once V8 has optimised it, about 100 operators in a chain overflow the first (200 the second), be it while
   * parsing or only when a question is asked; and after that every call in the process may fail. So a policy that could
   * get near never reaches Cedar. Sixty operators are some fifteen conditions; more permits or forbids say the same.
   */
  operators: 60,
  nesting: 10,
  idLength: 100,
  adviceLength: 500,
  /** Names in one `@guard`, `@mask` or `@record`. */
  obligationNames: 10,
  approversPerStage: 20,
  approvalsPerStage: 20,
  stages: 10,
  /** Paths in one answer; the ones that need the fewest people are kept. Fewer ways to a yes is the safe side. */
  paths: 32,
  /** Evaluations spent on finding what would turn one no into a yes. */
  counterfactuals: 40,
  /** Shorter durations tried on the way. */
  durationsTried: 6,
  /** A slice may have so many policies more than the question needs, and once more as many, to be one of fewer. */
  sliceRoom: 16,
  /** Slices that Cedar holds parsed, and policies in all of them together. */
  slots: 1_024,
  slotPolicies: 20_000,
} as const
