/**
 * A gateway may be several processes, its workers. What has a name or a number is some worker's by that alone, so that
 * none has to ask another whose it is, also of what a process left that is gone.
 */

export type Share = {
  /** Which of them, from 0. */
  readonly worker: number
  readonly of: number
}

/** Of a gateway that is one process. */
export const wholeShare: Share = { worker: 0, of: 1 }

export const isNumberOf = ({ worker, of }: Share, number: number): boolean => workerOf(number, of) === worker

export const workerOf = (number: number, of: number): number => Math.abs(number) % of

export const isNameOf = (share: Share, name: string): boolean => isNumberOf(share, Buffer.from(name).reduce(sum, 0))

const sum = (a: number, b: number): number => a + b

/** The first of what is made that is of the share. Every share has some of it. */
export function makeOf<T>(make: () => T, isOurs: (made: T) => boolean): T {
  for (;;) {
    const made = make()
    if (isOurs(made)) return made
  }
}
