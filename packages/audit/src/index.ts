/**
 * `@tidegate/audit`: Tidegate's transparency log, without storage, server or clock.
 *
 * An append-only Merkle tree (RFC 6962) of canonical JSON entries (RFC 8785), published as tiles, checkpoints and
 * proofs in the formats of C2SP (tlog-tiles, tlog-checkpoint, signed-note, tlog-proof). The server uses it to grow the
 * log; an auditor uses it alone, with nothing but files or a URL, to verify logs and receipts.
 *
 * What it trusts:
 * - The verifier key it is given. It must come from elsewhere than the log: a log can always vouch for itself. A log may
 *   change its key; the one that is given then leads to the one that signs now, by handovers that each key signed.
 * - The earlier checkpoint, where one is given. Without one, a log rewritten as a whole by the key's holder verifies:
 *   keep checkpoints, or have witnesses sign them.
 * - SHA-256, Ed25519 and `node:crypto`.
 *
 * What it does not trust: whatever it reads. Files, servers, proofs, receipts and notes may be hostile; verification
 * answers with what does not hold, and never throws.
 *
 * What it cannot show: that an entry is true, that its `at` is, or that nothing was left out before it was logged.
 */

export { decodeBundle, encodeBundle } from './bundle.ts'
export { canonicalBytes, canonicalJson, parseCanonicalJson } from './canonical-json.ts'
export type { JsonObject, JsonValue } from './canonical-json.ts'
export { alsoSigned, formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts'
export type { Checkpoint, CheckpointProblem } from './checkpoint.ts'
export { checkDisclosures, commit, opens } from './commitment.ts'
export type { CheckedDisclosure, Commitment, Disclosure, Opening } from './commitment.ts'
export { decodeEntry, encodeEntry } from './entry.ts'
export type { LogEntry } from './entry.ts'
export { exportLog } from './export-log.ts'
export type { ExportLogOptions, ExportProblem } from './export-log.ts'
export { formatHandovers, keyChangeType } from './handover.ts'
export { formatPointer, resolvePointer } from './json-pointer.ts'
export { limits } from './limits.ts'
export {
  consistencyRanges,
  emptyRoot,
  inclusionRanges,
  leafHash,
  nodeHash,
  rangeRoot,
  rangeSubtrees,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts'
export type { ConsistencyClaim, Hash, HashReader, InclusionClaim, LeafRange, Subtree, TreeHead } from './merkle.ts'
export {
  formatNote,
  formatVerifierKey,
  generateSignerKey,
  isKeyName,
  openSignerKey,
  parseNote,
  parseVerifierKey,
  signNote,
  verifyNote,
} from './note.ts'
export type { Note, NoteProblem, NoteSignature, SignerKey, VerifierKey } from './note.ts'
export type { Failure, Outcome } from './outcome.ts'
export { formatProof, parseProof } from './proof.ts'
export type { LogProof } from './proof.ts'
export type { ReadProblem } from './published.ts'
export { readEntries } from './read-entries.ts'
export type { ReadEntriesOptions, ReadEntry } from './read-entries.ts'
export { formatReceipt } from './receipt.ts'
export type { ReceiptFacts, ReceiptParts, ReceiptProblem } from './receipt.ts'
export { directorySource, directoryWriter, httpSource } from './source.ts'
export type { HttpSourceOptions, LogSource, LogWriter } from './source.ts'
export {
  bundlePath,
  changedBundles,
  changedTiles,
  checkpointPath,
  handoversPath,
  parseResourcePath,
  partialTiles,
  tileIn,
  tilePath,
} from './tile-path.ts'
export type { BundleRef, ResourceRef, TileRef } from './tile-path.ts'
export { consistencyProof, edgeRoot, emptyEdge, growTree, inclusionProof, treeRoot } from './tiles.ts'
export type { Growth, Tile, TileReader, TreeEdge } from './tiles.ts'
export { verifyLog } from './verify-log.ts'
export { verifyReceipt } from './verify-receipt.ts'
export type { LogProblem, LogVerdict, VerifyLogOptions } from './verify-log.ts'
