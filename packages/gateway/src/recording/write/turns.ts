/** Whose turn it is to write: some at once, in the order in which they asked, each for a bounded piece of work. */

export type Turns = {
  /** `take` is called when its turn has come. It resolves with whether it wants another one, after the others. */
  readonly ask: (take: Take) => void
}

/** Never rejects. */
export type Take = () => Promise<boolean>

export function createTurns(atOnce: number): Turns {
  // A set keeps the order in which things were put in, and each once.
  const waiting = new Set<Take>()
  const running = new Set<Take>()

  const next = (): void => {
    for (const take of waiting) {
      if (running.size >= atOnce) return
      // Asked for again while it is at it: it keeps its place until then.
      if (running.has(take)) continue
      waiting.delete(take)
      running.add(take)
      void run(take)
    }
  }

  const run = async (take: Take): Promise<void> => {
    const again = await take()
    running.delete(take)
    if (again) waiting.add(take)
    next()
  }

  return {
    ask(take) {
      waiting.add(take)
      next()
    },
  }
}
