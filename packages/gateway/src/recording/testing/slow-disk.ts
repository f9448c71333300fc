/** A disk whose every turn waits until it is let go, and is then the real one's. For tests only. */

import { scratchFolder } from '../../../../../tests/support/folders.ts'
import { recorderLimits } from '../limits.ts'
import { createDiskThread } from '../write/disk-thread.ts'
import type { Disk } from '../write/disk.ts'

export type SlowDisk = Disk & {
  /** How many turns wait. */
  readonly waiting: () => number
  /** From now on nothing waits. */
  readonly letGo: () => void
  readonly fail: (error: Error) => void
}

export function slowDisk(): SlowDisk {
  const disk = createDiskThread(scratchFolder(), recorderLimits)
  const waiting = new Set<{ readonly resolve: () => void; readonly reject: (error: Error) => void }>()
  let isFree = false
  let fault: Error | undefined
  const wait = async (): Promise<void> => {
    if (fault !== undefined) throw fault
    if (isFree) return
    await new Promise<void>((resolve, reject) => waiting.add({ resolve, reject }))
  }
  return {
    open(place) {
      const file = disk.open(place)
      const write: typeof file.write = async (turn) => {
        await wait()
        return file.write(turn)
      }
      return { ...file, write }
    },
    close: disk.close,
    waiting: () => waiting.size,
    letGo() {
      isFree = true
      for (const { resolve } of waiting) resolve()
      waiting.clear()
    },
    fail(error) {
      fault = error
      for (const { reject } of waiting) reject(error)
      waiting.clear()
    },
  }
}
