/** What the command of the simulation takes. */

import { parseArgs } from 'node:util'

export type Options = {
  readonly seed: number
  readonly steps: number
  readonly histories: number
  readonly trace: boolean
  readonly verbose: boolean
  readonly keepGoing: boolean
  readonly what: 'play' | 'planted' | 'sweep'
}

export const help = `npm run simulate -- [--seed N] [--steps N] [--histories N] [--trace] [--verbose] [--keep-going]
npm run simulate -- --planted [--histories N]
npm run simulate -- --sweep

Plays random histories, and stops at the first in which an invariant fails, made short.

  --seed N        The seed of the first history; the next ones count up from it. By the clock where it is not given.
  --steps N       How many steps a history has (80).
  --histories N   How many histories are played, or looked through for each planted bug (100).
  --trace         Print what happened in each.
  --verbose       With each statement and each thing that was sent to a target.
  --keep-going    Go on after a failure, and list the kinds of failure.
  --planted       Plant each bug of planted.ts, and look for the history that tells of it.
  --sweep         Strike every kind of work with every fault at everything that it sends.
  --help          Print this.

docs/design/simulation.md says what it shows, and what it does not.`

/** @returns a text where there is nothing to run: what there is, or what was wrong */
export function readOptions(
  args: readonly string[],
  now: number,
): Options | { readonly text: string; readonly exit: 0 | 2 } {
  const wrong = (message: string) => ({ text: `${message}\n\n${help}`, exit: 2 }) as const
  const parsed = parse(args)
  if (typeof parsed === 'string') return wrong(parsed)
  const { seed, steps, histories, trace, verbose, planted, sweep, 'keep-going': keepGoing, help: asked } = parsed
  if (asked) return { text: help, exit: 0 }
  if (planted && sweep) return wrong('Either --planted or --sweep.')
  const numbers = { seed: Number(seed ?? now % 1_000_000), steps: Number(steps), histories: Number(histories) }
  for (const [name, value] of Object.entries(numbers))
    if (!Number.isSafeInteger(value) || value < (name === 'seed' ? 0 : 1))
      return wrong(`--${name} takes a whole number${name === 'seed' ? '' : ' above 0'}.`)
  return { ...numbers, trace, verbose, keepGoing, what: planted ? 'planted' : sweep ? 'sweep' : 'play' }
}

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string' },
        steps: { type: 'string', default: '80' },
        histories: { type: 'string', default: '100' },
        trace: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        'keep-going': { type: 'boolean', default: false },
        planted: { type: 'boolean', default: false },
        sweep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
