/** Workers that are taken on while there is work: one looks, and each that finds something calls for another. */

type Work = {
  readonly most: number
  /** Does one piece of work, calling `hire` as soon as it has found one. Answers whether there may be more. */
  readonly work: (hire: () => void) => Promise<boolean>
}

export type Crew = {
  /** Sends someone to look. Resolves as soon as there is nothing to be found, or everyone has something to do. */
  readonly look: () => Promise<void>
  /** Resolves when nobody is at work any more. */
  readonly done: () => Promise<void>
}

/** @param failed told of each failure, which ends its worker */
export function createCrew({ most, work, failed }: Work & { readonly failed: (error: unknown) => void }): Crew {
  const atWork = new Set<Promise<void>>()
  let hired = 0
  const look = (): Promise<void> =>
    new Promise((resolve) => {
      if (hired === most) return resolve()
      // Counted first: a worker may hire before its own first wait.
      hired++
      // Who has found something does not look any more: the next one does.
      const worker = labour(() => void look().then(resolve))
      atWork.add(worker)
      void worker.finally(() => {
        hired--
        atWork.delete(worker)
        resolve()
      })
    })
  const labour = async (hire: () => void): Promise<void> => {
    try {
      while (await work(hire));
    } catch (error) {
      failed(error)
    }
  }
  return {
    look,
    async done() {
      while (atWork.size > 0) await Promise.all(atWork)
    },
  }
}

/** Returns when nobody finds anything any more. A failure ends its worker; it is thrown when the others are done. */
export async function runCrew(work: Work): Promise<void> {
  const failures: unknown[] = []
  const crew = createCrew({ ...work, failed: (error) => void failures.push(error) })
  await crew.look()
  await crew.done()
  if (failures.length > 0) throw failures[0]
}
