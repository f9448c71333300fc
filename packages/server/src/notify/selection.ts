/** Which entries a webhook gets: types by name, groups such as `break-glass.*`, and what is urgent. */

import type { LogEntry } from '@tidegate/audit'
import type { EntryType } from '../log/entry-types.ts'
import { entryTypes } from '../log/entry-types.ts'

type Takes = (entry: LogEntry) => boolean

export type Selection = { readonly types: readonly EntryType[]; readonly takes: Takes }

const always: Takes = () => true

/** The word for what somebody should look at now. It is what a webhook gets that says nothing else. */
export const urgentWord = 'urgent'

const urgent: Partial<Record<EntryType, Takes>> = {
  'break-glass.used': always,
  'break-glass.refused': always,
  'administration.standing-used': always,
  // A use of break-glass opens one as well, and is told by its own entry.
  'finding.opened': ({ severity, kind }) => severity === 'high' && kind !== 'break-glass-used',
  'webhook.gave-up': always,
}

const allTypes = Object.keys(entryTypes) as EntryType[]

function chosenBy(word: string): readonly (readonly [EntryType, Takes])[] {
  if (word === urgentWord) return Object.entries(urgent) as [EntryType, Takes][]
  const named = word.endsWith('.*')
    ? allTypes.filter((type) => type.startsWith(word.slice(0, -1)))
    : allTypes.filter((type) => type === word)
  return named.map((type) => [type, always] as const)
}

export const choosesNothing = (word: string): boolean => chosenBy(word).length === 0

/** What any of the words chooses. */
export function selectionOf(words: readonly string[]): Selection {
  const chosen = new Map<string, Takes[]>()
  for (const [type, takes] of words.flatMap(chosenBy)) chosen.set(type, [...(chosen.get(type) ?? []), takes])
  return {
    types: [...chosen.keys()] as EntryType[],
    takes: (entry) => chosen.get(entry.type)?.some((takes) => takes(entry)) === true,
  }
}
