/** Whoever is to be told of entries is told once they have their place in the tree, whoever had them placed. */

import type { Sequencer } from './sequencer.ts'

type Placing = Pick<Sequencer, 'integrate'> & { readonly whenDone: (tell: () => void) => void }

export function placingBy({ integrate }: Sequencer): Placing {
  let done = (): void => undefined
  return {
    async integrate() {
      const count = await integrate()
      if (count > 0) done()
      return count
    },
    whenDone: (tell) => void (done = tell),
  }
}
