/** A disk whose work is done at once, where it is asked: to start a thread takes longer than most tests. For tests only. */

import { createDiskWork } from '../write/disk-work.ts'
import type { DiskSettings, Order } from '../write/disk-work.ts'
import type { Disk } from '../write/disk.ts'

export function directDisk(settings: DiskSettings): Disk {
  const work = createDiskWork(settings)
  let count = 0
  return {
    open(place) {
      const recording = ++count
      let order: Order = { recording, place }
      return {
        async write(turn) {
          const [outcome] = work.obey([{ ...order, turn }])
          order = { recording }
          if (outcome === undefined || 'fault' in outcome) throw new Error(outcome?.fault)
          return outcome.head
        },
        abandon: () => void work.obey([{ recording }]),
      }
    },
    close: () => undefined,
  }
}
