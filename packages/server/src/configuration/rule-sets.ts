/** Guards, masks and recordings that have a name, for roles and policies to ask for. */

import type { FieldProblem } from '@tidegate/api'
import { didYouMean } from '@tidegate/core'
import type { Path, ReadFile } from './read.ts'
import type { DeclaredRecording, RecordingPolicy } from './schema.ts'
import type { Checking } from './session-rules.ts'
import { rulesProblems } from './session-rules.ts'
import type { RuleSets } from './snapshot.ts'

export type SetKind = keyof RuleSets

/** What is declared twice is said with everything else that is. */
export function readSets(
  files: readonly ReadFile[],
  checking: Checking,
): { readonly sets: RuleSets; readonly problems: readonly FieldProblem[] } {
  const all = files.map(({ declared }) => declared)
  const sets: RuleSets = {
    guards: new Map(all.flatMap(({ guards }) => guards.map((set) => [set.id, set.rules] as const))),
    masks: new Map(all.flatMap(({ masks }) => masks.map((set) => [set.id, set.rules] as const))),
    recordings: new Map(all.flatMap(({ recordings }) => recordings.map((set) => [set.id, set] as const))),
  }
  const problems = files.flatMap(({ declared, at }) =>
    (['guards', 'masks'] as const).flatMap((kind) =>
      declared[kind].flatMap((set, index) =>
        rulesProblems(
          // Whose statements a named guard will ask about is not known here.
          { word: kind === 'guards' ? 'guard' : 'mask', value: set.rules, owner: 'any', ...checking },
          at([kind, index, 'rules']),
        ),
      ),
    ),
  )
  return { sets, problems }
}

type Named = { readonly [K in SetKind]: readonly string[] }

/** The names in a role that nothing is declared by. */
export const unknownSets = (named: Named, sets: RuleSets, at: (path: Path) => string): FieldProblem[] =>
  (['guards', 'masks', 'recordings'] as const).flatMap((kind) =>
    named[kind].flatMap((name, index) => {
      if (sets[kind].has(name)) return []
      const meant = didYouMean(name, [...sets[kind].keys()])
      const remedy = meant === undefined ? `Declare it under ${kind}.` : `Did you mean ${meant}?`
      return [{ field: at([kind, index]), message: `There is no ${name} under ${kind}.`, remedy }]
    }),
  )

/** A set says only what is stricter, so the strictest of several is what any of them says; of rows, not to show them. */
export const strictest = (policy: RecordingPolicy, asked: readonly DeclaredRecording[]): RecordingPolicy =>
  asked.reduce(
    ({ text, parameters, rows, whenItFails }, set) => ({
      text: set.text ?? text,
      parameters: set.parameters ?? parameters,
      rows: rows === 'commit' ? rows : (set.rows ?? rows),
      whenItFails: set.whenItFails ?? whenItFails,
    }),
    policy,
  )
