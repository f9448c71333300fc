/** What guessers try first: leaked passwords, names, rows of keys, dates, and what is made of them. */

import type { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { localLimits } from './limits.ts'

let loading: Promise<ZxcvbnFactory> | undefined

/** Lists of some 25 MB in memory, for whoever has a password to choose: most servers never see one. */
async function load(): Promise<ZxcvbnFactory> {
  const [{ ZxcvbnFactory }, { dictionary, adjacencyGraphs }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ])
  return new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs })
}

/** @param user whose password it is to be: that and its parts are guessed first */
export async function isGuessable(password: string, user: string): Promise<boolean> {
  const estimator = await (loading ??= load())
  const parts = user.toLowerCase().split(/[^\p{L}\p{N}]+/u)
  // What a beginning takes, the whole takes; and the time for an estimate grows faster than its length.
  const beginning = [...password].slice(0, localLimits.estimated).join('')
  return estimator.check(beginning, ['tidegate', user, ...parts]).guessesLog10 < localLimits.guessesLog10
}
