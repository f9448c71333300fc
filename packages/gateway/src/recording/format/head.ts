/** Where a recording stands: what is anchored, so that nothing up to there can be changed or cut off unseen. */

import { createHash } from 'node:crypto'

/** After some record of some session. A later head of the same recording contains it. */
export type Head = {
  readonly session: string
  /** Number of the segment, from 1; 0: nothing has been written. */
  readonly segment: number
  /** Of all segments, as are the next two. */
  readonly blocks: number
  /** Of the segment files. */
  readonly bytes: number
  readonly events: number
  /** Of the last record, in unpadded base64url: 43 characters. */
  readonly chain: string
}

export const chainBytes = 32
const domain = Buffer.from('tidegate recording v1\0')
const nothing = Buffer.alloc(chainBytes)

export const firstChain = (): Buffer => nothing

/** `SHA-256(domain || chain of the record before || frame || payload)`; the frame is length and kind as in the file. */
export const nextChain = (chain: Buffer, frame: Buffer, payload: Uint8Array): Buffer =>
  createHash('sha256').update(domain).update(chain).update(frame).update(payload).digest()

export const emptyHead = (session: string): Head => ({
  session,
  segment: 0,
  blocks: 0,
  bytes: 0,
  events: 0,
  chain: nothing.toString('base64url'),
})

export const sameHead = (a: Head, b: Head): boolean =>
  a.session === b.session &&
  a.segment === b.segment &&
  a.blocks === b.blocks &&
  a.bytes === b.bytes &&
  a.events === b.events &&
  a.chain === b.chain
