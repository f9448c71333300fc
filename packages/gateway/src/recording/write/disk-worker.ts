/** A thread of its own: what it is given to do, and what came of it. */

import { parentPort, workerData } from 'node:worker_threads'
import { createDiskWork } from './disk-work.ts'
import type { DiskLimits, Order } from './disk-work.ts'

const work = createDiskWork(workerData as DiskLimits)
const asked = parentPort
asked?.on('message', (orders: readonly Order[]) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port between threads has none
  asked.postMessage(work(orders))
})
