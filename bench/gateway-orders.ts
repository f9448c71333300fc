/** What stands between a client and a target is measured in a process of its own: what it is told, and what it answers. */

export type Order =
  | { readonly do: 'start'; readonly setup: unknown }
  /** `collect`: after its garbage is collected, so that two processes that hold the same weigh the same. */
  | { readonly do: 'weigh'; readonly collect: boolean }
  | ({ readonly do: 'cut' } & Cut)
  | { readonly do: 'stop' }

/** Connections, by the ports that their clients have on this machine. */
export type Cut = {
  readonly ports: readonly number[]
  /** One for each. Absent: now, as by a revoke. */
  readonly atEpochMs?: readonly number[]
}

export type Weight = {
  readonly rssBytes: number
  /** User and system time on processors, since the process began. */
  readonly processorMs: number
}

export type Answer = { readonly ready: true } | { readonly listening: number } | { readonly weight: Weight }

/** What one of them is, from inside. */
export type Standing = {
  readonly port: number
  readonly cut: (cut: Cut) => void
  /** Of processes that it has started. */
  readonly weigh?: (collect: boolean) => Promise<readonly Weight[]>
  readonly stop: () => Promise<void>
}

/** Does as the parent process says, until it says stop or is gone. */
export function obey(start: (setup: unknown) => Promise<Standing>): void {
  let standing: Standing | undefined
  const answer = (what: Answer): void => void process.send?.(what)
  const hear = async (order: Order): Promise<void> => {
    switch (order.do) {
      case 'start':
        standing = await start(order.setup)
        answer({ listening: standing.port })
        return
      case 'weigh':
        answer({ weight: sumOf([await weigh(order.collect), ...((await standing?.weigh?.(order.collect)) ?? [])]) })
        return
      case 'cut':
        standing?.cut(order)
        return
      case 'stop':
        process.disconnect()
    }
  }
  process.on('message', (order) => void hear(order as Order))
  process.once('disconnect', () => void standing?.stop())
  answer({ ready: true })
}

async function weigh(collect: boolean): Promise<Weight> {
  // What is freed by the first is only given back to the system by a later one.
  for (let i = 0; collect && i < 3; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { user, system } = process.cpuUsage()
  return { rssBytes: process.memoryUsage.rss(), processorMs: (user + system) / 1_000 }
}

const sumOf = (weights: readonly Weight[]): Weight => ({
  rssBytes: weights.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
  processorMs: weights.reduce((sum, { processorMs }) => sum + processorMs, 0),
})
