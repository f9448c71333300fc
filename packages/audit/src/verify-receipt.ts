/** Verifying a receipt with any key that its log has had. */

import { followHandovers } from './handover.ts'
import { parseVerifierKey } from './note.ts'
import { failure } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { openReceipt, parseReceipt } from './receipt.ts'
import type { ReceiptFacts, ReceiptProblem } from './receipt.ts'

/**
 * Verifies a receipt offline with nothing but a verifier key of the log: the one that signed it, or an earlier one, from
 * which the receipt itself leads to that. Never throws.
 *
 * It shows that the log signed a tree with this entry in it. That this is the tree everyone else sees is shown by
 * comparing checkpoints ({@link verifyLog}'s `earlier`, or witnesses).
 */
export function verifyReceipt(text: string, vkey: string): Outcome<ReceiptFacts, ReceiptProblem> {
  const key = parseVerifierKey(vkey)
  if (key === undefined) return failure('malformed-key', 'the verifier key is not an Ed25519 vkey')
  const opened = openReceipt(text, key)
  if (opened.ok || opened.reason !== 'not-signed') return opened
  const parsed = parseReceipt(text)
  const way = parsed.ok ? followHandovers(key, parsed.handovers) : []
  const found = way.map(({ to }) => openReceipt(text, to)).find((one) => one.ok || one.reason !== 'not-signed')
  return found ?? opened
}
