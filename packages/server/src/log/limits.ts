/** An entry has at most 65,535 bytes. What could grow past that is cut here; the store keeps it whole. */

export const entryLimits = {
  /** Of a configuration change, each two names at most. The plan of the change has all. */
  items: 300,
  /** Of a decision, each an id. The decision, by its id, has all. */
  policies: 200,
  /** Of a decision, each two names. The decision, by its id, has all. */
  obligations: 100,
  /** Of an invitation, each a name. The gateway has all. */
  resources: 200,
  /** Of what a session used. The session has all. */
  usedBytes: 20_000,
} as const
