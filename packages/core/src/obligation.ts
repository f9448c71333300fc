/** What a yes asks of the sessions that come of it, by the names that the configuration gives such things. */

import { compareText } from './policy/problem.ts'

/** By the annotation that asks for it: where in the configuration its names are declared. */
export const obligationKinds = { guard: 'guards', mask: 'masks', record: 'recordings' } as const

export type ObligationKind = keyof typeof obligationKinds

/** Everything that is asked of a session holds together: each guard, each mask, and of each recording the strictest. */
export type Obligation = {
  readonly kind: ObligationKind
  readonly name: string
  /** Ids of the policies that ask for it, sorted. */
  readonly policies: readonly string[]
}

/** Of every list, each once, with all the policies that ask for it. Sorted, so that the same is asked in the same order. */
export function allObligations(...lists: readonly (readonly Obligation[])[]): readonly Obligation[] {
  const known = new Map<string, Obligation>()
  for (const one of lists.flat()) {
    const policies = new Set([...(known.get(obligationKey(one))?.policies ?? []), ...one.policies])
    known.set(obligationKey(one), { ...one, policies: [...policies].toSorted(compareText) })
  }
  return [...known.values()].toSorted((a, b) => compareText(obligationKey(a), obligationKey(b)))
}

/** Whether both hold sessions to the same, whoever asks for it. */
export const holdToTheSame = (a: readonly Obligation[], b: readonly Obligation[]): boolean =>
  a.map(obligationKey).join() === b.map(obligationKey).join()

/** `mask pii` */
export const obligationKey = ({ kind, name }: Pick<Obligation, 'kind' | 'name'>): string => `${kind} ${name}`
