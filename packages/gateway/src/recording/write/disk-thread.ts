/**
 * A disk whose work is done by a thread of its own, with calls that wait: a trip through the thread pool of Node for each
 * of a dozen small calls takes more of a processor than what they do. What is asked while the thread is at work is given
 * to it together.
 */

import { Worker } from 'node:worker_threads'
import type { Head } from '../format/head.ts'
import { emptyHead } from '../format/head.ts'
import { type Share, wholeShare } from '../../share.ts'
import type { RecorderLimits } from '../limits.ts'
import type { Block } from './block-builder.ts'
import type { Disk } from './disk.ts'
import type { DiskSettings, Order, Outcome } from './disk-work.ts'

type Asked = { readonly order: Order; readonly resolve: (head: Head) => void; readonly reject: (why: Error) => void }

/**
 * The thread starts with the first thing that is written. When it ends by itself, what it was writing has failed, and so
 * has each recording that goes on; those that begin have another thread.
 */
export function createDiskThread(dir: string, limits: RecorderLimits, share: Share = wholeShare): Disk {
  const lines = createLines(limits.atOnceBytes)
  let thread: Worker | undefined
  let isClosed = false
  let isRinging = false
  let count = 0

  const lose = (why: string): void => {
    void thread?.terminate()
    thread = undefined
    for (const { reject } of lines.takeAll()) reject(new Error(`the thread that writes recordings ended: ${why}`))
  }
  const start = (): Worker => {
    const { segmentBytes, compressFromBytes, journalBytes, journalMs } = limits
    const started = startWorker({ dir, share, limits: { segmentBytes, compressFromBytes, journalBytes, journalMs } })
    const ended = (why: string): void => {
      if (thread === started) lose(why)
    }
    started.on('message', (outcomes: readonly Outcome[]) => {
      for (const [i, asked] of lines.takeSent().entries()) settle(asked, outcomes[i])
      send()
    })
    // Without this it would end the process.
    started.on('error', (error) => ended(String(error)))
    started.on('exit', (code) => ended(`exit code ${code}`))
    return started
  }
  const send = (): void => {
    isRinging = false
    const orders = lines.next().map(({ order }) => order)
    // A process that only waits for it stays until it has answered.
    if (orders.length === 0) return void (lines.isAtWork() || thread?.unref())
    try {
      thread ??= start()
      thread.ref()
      post(thread, orders)
    } catch (error) {
      lose(String(error))
    }
  }
  const ask = (asked: Asked): void => {
    if (isClosed) return asked.reject(new Error('recordings are not written any more'))
    lines.add(asked)
    // What others ask in the same moment goes along.
    if (!isRinging) queueMicrotask(send)
    isRinging = true
  }

  return {
    open(place) {
      const recording = ++count
      let isMade = false
      return {
        write(turn) {
          if (!isMade && turn.blocks.length === 0) return Promise.resolve(emptyHead(place.header.session))
          const order = { recording, turn, ...(!isMade && { place }) }
          isMade = true
          return new Promise((resolve, reject) => ask({ order, resolve, reject }))
        },
        abandon() {
          if (isMade) ask({ order: { recording }, resolve: ignore, reject: ignore })
        },
      }
    },
    close() {
      isClosed = true
      lose('it was stopped')
    },
  }
}

const ignore = (): void => undefined

function startWorker(workerData: DiskSettings): Worker {
  const options = { name: 'recordings', workerData }
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('./disk-worker.js', import.meta.url), { ...options, execArgv: [] })
  }
  // What reads TypeScript in this process reads none in its threads.
  const [reader, file] = ['tsx/esm/api', './disk-worker.ts'].map((name) => JSON.stringify(import.meta.resolve(name)))
  const code = `import(${reader}).then(({ register }) => (register(), import(${file})))`
  return new Worker(code, { ...options, eval: true, execArgv: ['--conditions=source'] })
}

function settle({ resolve, reject }: Asked, outcome: Outcome): void {
  if (outcome !== undefined && 'head' in outcome) resolve(outcome.head)
  else reject(new Error(outcome?.fault ?? 'it was abandoned'))
}

/** What waits for the thread, and what the thread has. */
function createLines(mostBytes: number) {
  let waiting: Asked[] = []
  let sent: readonly Asked[] = []

  return {
    add: (asked: Asked) => void waiting.push(asked),
    /** To be sent now, unless the thread has something: one at least, and then as many as that many bytes have. */
    next(): readonly Asked[] {
      if (sent.length > 0) return []
      let bytes = 0
      const most = waiting.findIndex(({ order }) => (bytes += sizeOf(order)) > mostBytes)
      sent = waiting.splice(0, most < 0 ? waiting.length : Math.max(most, 1))
      return sent
    },
    isAtWork: () => sent.length > 0,
    takeSent(): readonly Asked[] {
      const taken = sent
      sent = []
      return taken
    },
    takeAll(): readonly Asked[] {
      const taken = [...sent, ...waiting]
      sent = []
      waiting = []
      return taken
    },
  }
}

const sizeOf = ({ turn }: Order): number => turn?.blocks.reduce((sum, { content }) => sum + content.length, 0) ?? 0

/** In memory of its own, which goes over as it is: of a part of larger memory all would be copied. */
function post(thread: Worker, orders: readonly Order[]): void {
  const moved: ArrayBuffer[] = []
  const move = (bytes: Uint8Array): Uint8Array => {
    const own = new Uint8Array(bytes)
    moved.push(own.buffer)
    return own
  }
  const moving = ({ content, events, salts }: Block) => ({ content: move(content), events, salts: move(salts) })
  const message = orders.map((order) => {
    const { turn } = order
    return turn === undefined ? order : { ...order, turn: { ...turn, blocks: turn.blocks.map(moving) } }
  })
  thread.postMessage(message, moved)
}
