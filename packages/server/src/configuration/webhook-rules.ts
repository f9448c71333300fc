/** What webhooks get has to be there: a slip would be found when nobody is told of something. */

import type { FieldProblem } from '@tidegate/api'
import { administrationResource } from '@tidegate/core'
import { choosesNothing, selectionOf } from '../notify/selection.ts'
import type { ReadFile } from './read.ts'
import type { Declared, Snapshot } from './snapshot.ts'

export function webhookProblems(files: readonly ReadFile[], declared: Declared): FieldProblem[] {
  const known = new Set([administrationResource, ...declared.resources.map(({ id }) => id)])
  return files.flatMap((file) =>
    file.declared.webhooks.flatMap(({ entries, resources = [] }, place) => [
      ...entries.flatMap((word, index) => entryProblem(word, file.at(['webhooks', place, 'entries', index]))),
      ...resources.flatMap((id, index) =>
        known.has(id) ? [] : [unknownResource(id, file.at(['webhooks', place, 'resources', index]))],
      ),
    ]),
  )
}

const entryProblem = (word: string, field: string): FieldProblem[] =>
  choosesNothing(word)
    ? [
        {
          field,
          message: `There is no entry type ${word}.`,
          remedy: 'Write one of docs/reference/entries.md, a group of them such as break-glass.*, or urgent.',
        },
      ]
    : []

const unknownResource = (id: string, field: string): FieldProblem => ({
  field,
  message: `There is no resource ${id}.`,
  remedy: 'Declare it, or correct the name.',
})

/** For a plan: in an emergency nobody would be called. */
export function untoldEffects({ declared: { breakGlass, webhooks } }: Pick<Snapshot, 'declared'>): string[] {
  if (!breakGlass) return []
  const untold = breakGlass.roles.filter(
    (role) => !webhooks.some((webhook) => isToldOfUse(webhook, role.split('/')[0] as string)),
  )
  if (untold.length === 0) return []
  return [`nobody is called when glass is broken for ${untold.join(', ')}: no webhook gets break-glass.used of it`]
}

/** Whether it gets the entry of a use of break-glass on this resource. */
export const isToldOfUse = (
  { entries, resources }: Pick<Declared['webhooks'][number], 'entries' | 'resources'>,
  resource: string,
): boolean => selectionOf(entries).types.includes('break-glass.used') && (resources?.includes(resource) ?? true)
