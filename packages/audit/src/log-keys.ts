/** Which keys a log was signed with, by its own entries, and whether each of them let the next one sign. */

import type { Handover, KeyChange } from './handover.ts'
import { isSignedBy, nextKey } from './handover.ts'
import { formatVerifierKey } from './note.ts'
import type { VerifierKey } from './note.ts'
import { failure } from './outcome.ts'
import type { Outcome } from './outcome.ts'

export type PlacedChange = KeyChange & { readonly index: number }

export type KeyProblem =
  /** An entry changes the key that is not of the key that signed then, or names what is no key of this log. */
  | 'bad-key-change'
  /** No checkpoint by the key before covers the entry that names the next one. */
  | 'not-handed-over'
  /** The checkpoint is signed by a key that the log itself has replaced. */
  | 'replaced-key'

type Signed = {
  /** The key that is trusted to begin with. */
  readonly key: VerifierKey
  /** Every entry of the log that changes its key, in order. */
  readonly changes: readonly PlacedChange[]
  /** Proved to be of this log: their trees are beginnings of its tree. */
  readonly handovers: readonly Handover[]
  /** The log's checkpoint. */
  readonly note: string
}

/** @returns the keys from the trusted one to the one that signs now */
export function judgeKeys({
  key,
  changes,
  handovers,
  note,
}: Signed): Outcome<{ readonly keys: readonly VerifierKey[] }, KeyProblem> {
  const ours = changes.slice(firstAfter(key, changes))
  const keys: VerifierKey[] = [key]
  for (const change of ours) {
    const from = keys.at(-1) ?? key
    const to = change.from === formatVerifierKey(from) ? nextKey(from, change) : undefined
    if (to === undefined) return failure('bad-key-change', `entry ${change.index} ${problems['bad-key-change']}`)
    keys.push(to)
  }
  const last = ours.at(-1)
  if (last !== undefined && !isSignedBy(note, keys.at(-1) ?? key))
    return failure('replaced-key', `${problems['replaced-key']} entry ${last.index} of the log has replaced`)
  const uncovered = ours.find(
    ({ index, to }, place) =>
      !isSignedBy(note, keys[place] ?? key) &&
      !handovers.some((one) => one.index === index && formatVerifierKey(one.to) === to),
  )
  if (uncovered === undefined) return { ok: true, keys }
  return failure('not-handed-over', `entry ${uncovered.index} ${problems['not-handed-over']}`)
}

const problems = {
  'bad-key-change': 'changes the key, and not from the one that signed then to another of this log',
  'not-handed-over': 'names the next key, and no checkpoint by the key before covers it',
  'replaced-key': 'the checkpoint is signed by a key that',
} as const satisfies Record<KeyProblem, string>

/** What was before the trusted key came is not for it to judge. */
function firstAfter(key: VerifierKey, changes: readonly PlacedChange[]): number {
  const own = formatVerifierKey(key)
  return changes.findLastIndex(({ to }) => to === own) + 1
}
