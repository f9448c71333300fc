/** Every bound of this package in one place. What exceeds one is refused, never cut. */
export const limits = {
  /** C2SP tlog-tiles: an entry's length is a uint16. */
  entryBytes: 65_535,
  /** Hashes in a full tile, and entries in a full bundle. */
  tileWidth: 256,
  tileBytes: 256 * 32,
  bundleBytes: 256 * (2 + 65_535),
  /** A tree of 2^53 entries is out of reach, and sizes stay exact integers. */
  treeSize: Number.MAX_SAFE_INTEGER,
  /** Signed notes: sixteen post-quantum signatures of 5 kB fit several times over. */
  noteBytes: 262_144,
  noteSignatures: 64,
  keyNameBytes: 255,
  /** One inclusion proof of the largest tree. */
  proofHashes: 53,
  /** A receipt: an entry and its disclosures in base64, a proof, a checkpoint. */
  receiptBytes: 1_048_576,
  disclosures: 256,
  /** Changes of a log's key, each with a receipt of a few kilobytes. */
  handovers: 64,
  handoversBytes: 262_144,
  /** Nesting of arrays and objects. Deeper input could exhaust the stack of whoever walks it. */
  jsonDepth: 64,
  /** A receipt wraps a disclosed value three deep, and must hold whatever could be committed to. */
  receiptDepth: 64 + 3,
  saltBytes: { min: 16, max: 64 },
  /** Bundles read ahead while verifying; times `bundleBytes` this bounds the memory. */
  bundlesAhead: 4,
  /** One HTTP exchange, body included. */
  requestTimeoutMs: 30_000,
} as const
