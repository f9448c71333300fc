/** Blocks and turns, as recorders hand them to a disk. For tests only. */

import { recorderLimits } from '../limits.ts'
import type { RecordingPolicy } from '../policy.ts'
import { createBlockBuilder, scratchBytes } from '../write/block-builder.ts'
import type { Block } from '../write/block-builder.ts'
import type { DiskTurn } from '../write/disk.ts'
import { keepAll, sampleEvents } from './sample.ts'

/** Of one recording, one after the other: of so many statements and what came of them. */
export function blockMaker(policy: RecordingPolicy = keepAll): (statements: number) => Block {
  const builder = createBlockBuilder({
    policy,
    limits: recorderLimits,
    salt: () => new Uint8Array(16),
    scratch: Buffer.alloc(scratchBytes(recorderLimits)),
  })
  return (statements) => {
    builder.add({ events: sampleEvents(statements), room: Infinity })
    const block = builder.close()
    if (block === undefined) throw new Error('there is nothing in it')
    return block
  }
}

/** The first of a recording. */
export const blockOf = (statements: number): Block => blockMaker()(statements)

export const turnOf = (blocks: readonly Block[], more: Partial<DiskTurn> = {}): DiskTurn => ({
  blocks,
  inspects: false,
  syncs: true,
  ...more,
})
