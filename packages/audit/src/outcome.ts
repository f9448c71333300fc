/**
 * What did not hold: a code to branch on, and a sentence for a person.
 * A detail quotes paths, indexes and sizes, never the content of an entry or a disclosure.
 */
export type Failure<Reason extends string> = {
  readonly ok: false
  readonly reason: Reason
  readonly detail: string
}

/** Either everything asked for held, with what was found, or the first thing that did not. */
export type Outcome<Found extends object, Reason extends string> = ({ readonly ok: true } & Found) | Failure<Reason>

export function failure<Reason extends string>(reason: Reason, detail: string): Failure<Reason> {
  return { ok: false, reason, detail }
}
