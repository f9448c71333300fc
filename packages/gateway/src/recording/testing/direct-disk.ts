/** A disk whose work is done at once, where it is asked: to start a thread takes longer than most tests. For tests only. */

import { createDiskWork } from '../write/disk-work.ts'
import type { DiskLimits, Order } from '../write/disk-work.ts'
import type { Disk } from '../write/disk.ts'

export function directDisk(limits: DiskLimits): Disk {
  const work = createDiskWork(limits)
  let count = 0
  return {
    open(place) {
      const recording = ++count
      let order: Order = { recording, place }
      return {
        async write(turn) {
          const [outcome] = work([{ ...order, turn }])
          order = { recording }
          if (outcome === undefined || 'fault' in outcome) throw new Error(outcome?.fault)
          return outcome.head
        },
        abandon: () => void work([{ recording }]),
      }
    },
    close: () => undefined,
  }
}
