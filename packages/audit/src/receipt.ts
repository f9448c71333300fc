/**
 * Receipts: a tlog-proof that carries its entry, and openings of the personal data the entry commits to.
 *
 * The `extra` line is the base64 of the canonical JSON `{"disclosures": [...], "entry": {...}}`, with `"handovers": [...]`
 * where the log has changed its key. That line is not authenticated by the format; here it is, as the entry must be the
 * leaf, each disclosure must open a commitment, and each handover is a receipt itself.
 */

import { canonicalBytes, isJsonObject, parseCanonicalJson } from './canonical-json.ts'
import type { JsonValue } from './canonical-json.ts'
import { openCheckpoint } from './checkpoint.ts'
import type { Checkpoint, CheckpointProblem } from './checkpoint.ts'
import { checkDisclosures, parseDisclosures } from './commitment.ts'
import type { CheckedDisclosure, Disclosure } from './commitment.ts'
import { decodeEntry, encodeEntry } from './entry.ts'
import type { LogEntry } from './entry.ts'
import { limits } from './limits.ts'
import { leafHash, verifyInclusion } from './merkle.ts'
import type { Hash } from './merkle.ts'
import type { VerifierKey } from './note.ts'
import { failure } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { formatProof, parseProof } from './proof.ts'
import type { LogProof } from './proof.ts'

export type ReceiptParts = {
  readonly entry: LogEntry
  readonly disclosures: readonly Disclosure[]
  readonly index: number
  /** The entry's inclusion proof in the checkpoint's tree. */
  readonly hashes: readonly Hash[]
  /** The signed checkpoint note. */
  readonly checkpoint: string
  /** Receipts of the entries that changed the log's key, for whoever knows an earlier one. Absent: it has not changed. */
  readonly handovers?: readonly string[]
}

export type ReceiptProblem =
  | CheckpointProblem
  | 'malformed-key'
  | 'malformed-proof'
  | 'malformed-receipt'
  | 'malformed-entry'
  | 'not-included'
  | 'bad-disclosure'

/** What a good receipt shows. */
export type ReceiptFacts = {
  readonly index: number
  /** The size of the checkpoint's tree. */
  readonly size: number
  readonly entry: LogEntry
  /** Each of them opens its commitment. */
  readonly disclosures: readonly CheckedDisclosure[]
  readonly checkpoint: Checkpoint
}

/**
 * Writes a receipt; its file name ends in `.tlog-proof`. Throws like {@link encodeEntry}, and a `RangeError` for more
 * than 256 disclosures or 1 MiB. Neither proof nor disclosures are verified: {@link verifyReceipt} does that.
 */
export function formatReceipt({ handovers, ...parts }: ReceiptParts): string {
  const { entry, disclosures, index, hashes, checkpoint } = parts
  encodeEntry(entry)
  if (disclosures.length > limits.disclosures) {
    throw new RangeError(`a receipt holds at most ${limits.disclosures} disclosures, not ${disclosures.length}`)
  }
  const extra = canonicalBytes({ entry, disclosures, ...(handovers && { handovers }) }, limits.receiptDepth)
  return formatProof({ extra, index, hashes, checkpoint })
}

/** Verifies a receipt with this one key: its checkpoint is signed by it. Never throws. */
export function openReceipt(text: string, key: VerifierKey): Outcome<ReceiptFacts, ReceiptProblem> {
  const parsed = parseReceipt(text)
  if (!parsed.ok) return parsed
  const { proof, entry, leaf } = parsed
  const opened = openCheckpoint(proof.checkpoint, key)
  if (!opened.ok) return opened
  const { checkpoint } = opened
  if (!verifyInclusion({ index: proof.index, leaf, proof: proof.hashes, tree: checkpoint })) {
    return failure('not-included', `the entry is not entry ${proof.index} of the log's ${checkpoint.size}`)
  }
  const disclosures = checkDisclosures(entry, parsed.disclosures)
  const bad = disclosures.findIndex(({ result }) => result !== 'opens')
  if (bad >= 0) return failure('bad-disclosure', `disclosure ${bad} does not open a commitment of the entry`)
  return { ok: true, index: proof.index, size: checkpoint.size, entry, disclosures, checkpoint }
}

type Parsed = Content & { readonly proof: LogProof }

/** Takes a receipt apart. Nothing in it is to be believed before its proof is verified. Never throws. */
export function parseReceipt(text: string): Outcome<Parsed, ReceiptProblem> {
  const proof = parseProof(text)
  if (proof === undefined) return failure('malformed-proof', 'the text is not a tlog-proof')
  const content = readContent(proof.extra)
  return content.ok ? { ...content, proof } : content
}

type Content = {
  readonly entry: LogEntry
  readonly leaf: Hash
  readonly disclosures: readonly Disclosure[]
  readonly handovers: readonly string[]
}

function readContent(extra: Uint8Array | undefined): Outcome<Content, 'malformed-receipt' | 'malformed-entry'> {
  const value = extra && parseCanonicalJson(extra, limits.receiptDepth)
  const handovers = isJsonObject(value) ? (value['handovers'] ?? []) : undefined
  if (!isJsonObject(value) || Object.keys(value).length !== ('handovers' in value ? 3 : 2)) {
    return failure('malformed-receipt', 'the line "extra" is not canonical JSON with an entry and disclosures')
  }
  if (!isTexts(handovers)) return failure('malformed-receipt', 'the field "handovers" is malformed')
  const disclosures = parseDisclosures(value['disclosures'])
  if (disclosures === undefined) return failure('malformed-receipt', 'the field "disclosures" is malformed')
  const leaf = canonicalBytes(value['entry'] ?? null, limits.receiptDepth)
  const decoded = decodeEntry(leaf)
  return decoded.ok ? { ok: true, entry: decoded.entry, leaf: leafHash(leaf), disclosures, handovers } : decoded
}

const isTexts = (value: JsonValue | undefined): value is readonly string[] =>
  Array.isArray(value) && value.length <= limits.handovers && value.every((each) => typeof each === 'string')
