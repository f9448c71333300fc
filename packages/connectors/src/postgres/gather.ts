/**
 * Calls that are asked for while another is under way wait for it and are made together: the busier a target is, the
 * more of them go through each step at once, and the less each costs it.
 */

export type Gathering<K, T> = {
  /** All of them at once; has an answer for each. */
  readonly together: (keys: readonly K[]) => Promise<ReadonlyMap<K, T>>
  /** What is under way holds nobody up for longer than this. */
  readonly patienceMs: number
  /** So many go together, and the next ones beside them. Absent: however many there are. */
  readonly most?: number
}

/** Who asks for the same key while it waits gets the same answer. */
export function gather<K, T>({ together, patienceMs, most = Infinity }: Gathering<K, T>): (key: K) => Promise<T> {
  let waiting = new Map<K, Waiting<T>>()
  let underWay = 0
  let timer: NodeJS.Timeout | undefined

  const begin = async (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const gathered = waiting
    if (gathered.size === 0) return
    waiting = new Map()
    underWay++
    try {
      const answers = await together([...gathered.keys()])
      for (const [key, { resolve }] of gathered) resolve(answers.get(key) as T)
    } catch (error) {
      for (const { reject } of gathered.values()) reject(error)
    } finally {
      underWay--
      void begin()
    }
  }

  return (key) => {
    const known = waiting.get(key)
    if (known) return known.promise
    const one = newWaiting<T>()
    waiting.set(key, one)
    if (waiting.size === 1) {
      // Whoever asks in the same turn of the event loop is in it.
      if (underWay === 0) setImmediate(() => void begin())
      else timer = setTimeout(() => void begin(), patienceMs)
    }
    if (waiting.size >= most) void begin()
    return one.promise
  }
}

type Waiting<T> = {
  readonly promise: Promise<T>
  readonly resolve: (answer: T) => void
  readonly reject: (error: unknown) => void
}

function newWaiting<T>(): Waiting<T> {
  let resolve: Waiting<T>['resolve'] = () => undefined
  let reject: Waiting<T>['reject'] = () => undefined
  const promise = new Promise<T>((done, failed) => {
    resolve = done
    reject = failed
  })
  return { promise, resolve, reject }
}
