/** Workers that are taken on while there is work: one looks, and each that finds something calls for another. */

type Crew = {
  readonly most: number
  /** Does one piece of work, calling `hire` as soon as it has found one. Answers whether there may be more. */
  readonly work: (hire: () => void) => Promise<boolean>
}

/** Returns when nobody finds anything any more. A failure ends its worker; it is thrown when the others are done. */
export async function runCrew({ most, work }: Crew): Promise<void> {
  const workers: Promise<void>[] = []
  let hired = 0
  const hire = (): void => {
    if (hired === most) return
    // Counted first: a worker may hire before its own first wait.
    hired++
    workers.push(labour())
  }
  const failures: unknown[] = []
  const labour = async (): Promise<void> => {
    try {
      while (await work(hire));
    } catch (error) {
      failures.push(error)
    }
  }
  hire()
  // The list grows while it is gone through.
  for (let i = 0; i < workers.length; i++) await workers[i]
  if (failures.length > 0) throw failures[0]
}
