/** For what runs until it is told to stop. */

import type { Context } from './context.ts'

/** Resolves at the first SIGINT, SIGTERM or SIGHUP. Later ones are ignored: the stop is under way. */
export const stopRequested = ({ onSignal }: Pick<Context, 'onSignal'>): Promise<undefined> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) onSignal(signal, () => resolve(undefined))
  })
