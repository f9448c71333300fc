/** C2SP tlog-proof: one text that shows offline that an entry is in a log. */

import { decodeBase64, encodeBase64, parseDecimal } from './bytes.ts'
import { limits } from './limits.ts'
import { hashBytes } from './merkle.ts'
import type { Hash } from './merkle.ts'

/** The parts of the text. Nothing in it is authenticated by its form. */
export type LogProof = {
  /** Opaque data beside the proof; absent where the text has no such line. */
  readonly extra?: Uint8Array
  readonly index: number
  /** The inclusion proof, leaf's sibling first (RFC 6962 section 2.1.1). */
  readonly hashes: readonly Hash[]
  /** The checkpoint note, verbatim. */
  readonly checkpoint: string
}

const header = 'c2sp.org/tlog-proof@v1'

/** Writes the text (tlog-proof, "Format"). Throws a `RangeError` for what {@link parseProof} would refuse. */
export function formatProof({ extra, index, hashes, checkpoint }: LogProof): string {
  const lines = [
    header,
    ...(extra === undefined ? [] : [`extra ${encodeBase64(extra)}`]),
    `index ${index}`,
    ...hashes.map((hash) => encodeBase64(hash)),
  ]
  const text = `${lines.join('\n')}\n\n${checkpoint}`
  if (parseProof(text) === undefined) {
    throw new RangeError(`a proof has an index, at most ${limits.proofHashes} hashes and ${limits.receiptBytes} bytes`)
  }
  return text
}

/** Reads a text; `undefined` where it breaks the format or exceeds the limits. Never throws. */
export function parseProof(text: string): LogProof | undefined {
  // The first empty line ends the proof. In a note, the last one ends the text.
  const split = text.indexOf('\n\n')
  if (split < 0 || text.length > limits.receiptBytes) return undefined
  const [first, second = '', ...rest] = text.slice(0, split).split('\n')
  const extra = second.startsWith('extra ') ? decodeBase64(second.slice('extra '.length)) : absent
  const [indexLine = '', ...hashLines] = extra === absent ? [second, ...rest] : rest
  const index = indexLine.startsWith('index ') ? parseDecimal(indexLine.slice('index '.length)) : undefined
  if (first !== header || extra === undefined || index === undefined) return undefined
  const hashes = parseHashes(hashLines)
  if (hashes === undefined) return undefined
  return { ...(extra !== absent && { extra }), index, hashes, checkpoint: text.slice(split + 2) }
}

/** Stands for the optional line that is not there; `undefined` stands for one that is malformed. */
const absent = 'absent'

function parseHashes(lines: readonly string[]): readonly Hash[] | undefined {
  if (lines.length > limits.proofHashes) return undefined
  const hashes = lines.map((line) => decodeBase64(line)).filter((hash) => hash?.length === hashBytes)
  return hashes.length === lines.length ? (hashes as readonly Hash[]) : undefined
}
