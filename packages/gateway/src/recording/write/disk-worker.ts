/** A thread of its own: what it is given to do, and what came of it. */

import { parentPort, workerData } from 'node:worker_threads'
import { createDiskWork } from './disk-work.ts'
import type { DiskSettings, Order } from './disk-work.ts'

/** What is asked meanwhile waits for so long. */
const tidyMs = { aside: 1, alone: 50 }

const work = createDiskWork(workerData as DiskSettings)
const asked = parentPort
asked?.on('message', (orders: readonly Order[]) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port between threads has none
  asked.postMessage(work.obey(orders))
  work.tidy(tidyMs.aside)
})
setInterval(() => work.tidy(tidyMs.alone), 1_000)
