/** C2SP tlog-checkpoint: what a log signs, namely its name, its size and its root. */

import { decodeBase64, encodeBase64, parseDecimal } from './bytes.ts'
import { hashBytes } from './merkle.ts'
import type { TreeHead } from './merkle.ts'
import { formatNote, parseNote, signNote, verifyNote } from './note.ts'
import type { NoteProblem, SignerKey, VerifierKey } from './note.ts'
import { failure } from './outcome.ts'
import type { Outcome } from './outcome.ts'

export type Checkpoint = TreeHead & {
  /** The log's identity, by convention its URL without the scheme. Here always the name of its key. */
  readonly origin: string
  /** Opaque lines. Logs do better without; they are kept so that other logs' checkpoints can be read. */
  readonly extensions: readonly string[]
}

export type CheckpointProblem = NoteProblem | 'malformed-checkpoint' | 'wrong-origin'

/** The note text (tlog-checkpoint, "Note text"). Throws a `RangeError` for lines that a checkpoint cannot have. */
export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  const text = `${[origin, String(size), encodeBase64(root), ...extensions].join('\n')}\n`
  if (parseCheckpoint(text)?.extensions.length !== extensions.length) {
    throw new RangeError('the checkpoint has an empty line, a line break in a line, or a size or root of another form')
  }
  return text
}

/** Reads a note text; `undefined` where it breaks the format. Never throws. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const [origin, sizeText, rootText, ...extensions] = text.split('\n')
  // Each line ends in a newline, so that an empty string is left after the last.
  if (extensions.pop() !== '' || extensions.includes('')) return undefined
  const size = parseDecimal(sizeText ?? '')
  const root = decodeBase64(rootText ?? '')
  if (!origin || size === undefined || root?.length !== hashBytes) return undefined
  return { origin, size, root, extensions }
}

/**
 * Signs a tree head under the key's name, which is the origin. Whoever calls this twice for trees of which neither
 * begins with the other has forked the log, and the two notes prove it: sign only what is committed.
 */
export function signCheckpoint({ size, root }: TreeHead, signer: SignerKey): string {
  return signNote(formatCheckpoint({ origin: signer.name, size, root, extensions: [] }), signer)
}

/** The checkpoint with the signature of another key of the same log as well, as where one key hands over to the next. */
export function alsoSigned(note: string, signer: SignerKey): string {
  const first = parseNote(note)
  if (first === undefined) throw new RangeError('the text is not a signed note')
  const second = parseNote(signNote(first.text, signer))
  return formatNote({ text: first.text, signatures: [...first.signatures, ...(second?.signatures ?? [])] })
}

/**
 * Verifies a checkpoint note: signed by the key, well formed, and of the log whose name the key has. The origin is
 * compared as well as the signature, since one key may sign for a log only under the log's own name. Never throws.
 */
export function openCheckpoint(
  note: string,
  key: VerifierKey,
): Outcome<{ readonly checkpoint: Checkpoint }, CheckpointProblem> {
  const verified = verifyNote(note, key)
  if (!verified.ok) return verified
  const checkpoint = parseCheckpoint(verified.text)
  if (checkpoint === undefined) return failure('malformed-checkpoint', 'the signed text is not a checkpoint')
  if (checkpoint.origin !== key.name) {
    return failure('wrong-origin', `the checkpoint is of another log than ${key.name}`)
  }
  return { ok: true, checkpoint }
}
