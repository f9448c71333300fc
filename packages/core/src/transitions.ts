/** Lives as data: what may follow what, and when. */

export type Transition<State extends string> = {
  readonly from: State
  readonly to: State
  readonly when: string
}

/** Whether a life has such a step. */
export function stepsOf<State extends string>(
  transitions: readonly Transition<State>[],
): (from: State, to: State) => boolean {
  const allowed = new Set(transitions.map(({ from, to }) => `${from}>${to}`))
  return (from, to) => allowed.has(`${from}>${to}`)
}
