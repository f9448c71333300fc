/**
 * How a log goes from one signing key to the next. An entry names the next key, and a checkpoint by the key before covers
 * that entry: so the key before vouches for the next one. Both are kept as a receipt of the entry, and whoever knows any
 * key of the log gets from there to the one that signs today.
 */

import { decodeUtf8 } from './bytes.ts'
import type { LogEntry } from './entry.ts'
import { limits } from './limits.ts'
import type { TreeHead } from './merkle.ts'
import { formatVerifierKey, parseVerifierKey, verifyNote } from './note.ts'
import type { VerifierKey } from './note.ts'
import { openReceipt } from './receipt.ts'

/** The type of the entry that names the next key: `from` and `to` are verifier keys. */
export const keyChangeType = 'log.key-changed'

export type KeyChange = { readonly from: string; readonly to: string }

/** `undefined`: the entry is about something else, or says less than it has to. */
export function keyChangeOf({ type, from, to }: LogEntry): KeyChange | undefined {
  return type === keyChangeType && typeof from === 'string' && typeof to === 'string' ? { from, to } : undefined
}

export type Handover = {
  readonly from: VerifierKey
  readonly to: VerifierKey
  /** Of the entry that names the next key. */
  readonly index: number
  /** The tree that the key before signed with the entry in it. */
  readonly tree: TreeHead
}

/** Receipts of the entries that changed the key, the earliest first, as a log publishes them: a JSON array of texts. */
export const formatHandovers = (receipts: readonly string[]): string => `${JSON.stringify(receipts)}\n`

/** `undefined` for anything else, and for more than there can be. Never throws. */
export function parseHandovers(bytes: Uint8Array): readonly string[] | undefined {
  if (bytes.length > limits.handoversBytes) return undefined
  try {
    const value: unknown = JSON.parse(decodeUtf8(bytes) ?? '')
    return isTexts(value) && value.length <= limits.handovers ? value : undefined
  } catch {
    return undefined
  }
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string')

/**
 * The way from a key to the ones after it, as far as each vouches for the next. What is not of this way is passed over:
 * it proves nothing. A key of another name is of another log, whoever vouches for it. Never throws.
 */
export function followHandovers(key: VerifierKey, receipts: readonly string[]): readonly Handover[] {
  const way: Handover[] = []
  for (const receipt of receipts.slice(0, limits.handovers)) {
    const next = openHandover(receipt, way.at(-1)?.to ?? key)
    if (next) way.push(next)
  }
  return way
}

function openHandover(receipt: string, from: VerifierKey): Handover | undefined {
  const opened = openReceipt(receipt, from)
  const named = opened.ok ? keyChangeOf(opened.entry) : undefined
  if (!opened.ok || named?.from !== formatVerifierKey(from)) return undefined
  const to = nextKey(from, named)
  return to && { from, to, index: opened.index, tree: opened.checkpoint }
}

/** `undefined`: it is no key, or one of another log. */
export function nextKey(from: VerifierKey, { to }: KeyChange): VerifierKey | undefined {
  const key = parseVerifierKey(to)
  return key?.name === from.name ? key : undefined
}

export const isSignedBy = (note: string, key: VerifierKey): boolean => verifyNote(note, key).ok
