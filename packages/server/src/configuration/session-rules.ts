/**
 * What roles say of sessions: which statements are let through, and what is hidden of results. Gateways act on it and
 * know its words, so whoever starts the server hands in who can check them; the server itself only passes them on.
 */

import type { FieldProblem } from '@tidegate/api'
import type { DeclaredResource } from './schema.ts'

export type SessionRules = {
  /** What is wrong, each beginning with the field. Empty: nothing. */
  readonly guard: (value: unknown) => readonly string[]
  readonly mask: (value: unknown) => readonly string[]
}

type At = (path: readonly (string | number)[]) => string

const words = ['guard', 'mask'] as const
const setWords = ['guards', 'masks', 'recordings'] as const

/** A rule that nobody would act on is refused: absence of a gateway must not look like one that lets everything through. */
export function sessionProblems(
  declared: DeclaredResource,
  { at, rules }: { readonly at: At; readonly rules: SessionRules | undefined },
): FieldProblem[] {
  const direct = declared.gateway !== 'required'
  const problems = declared.roles.flatMap((role, index) => [
    ...words
      .filter((word) => role[word] !== undefined)
      .flatMap((word) => {
        const field = at(['roles', index, word])
        return direct ? [withoutGateway(field)] : rulesProblems({ word, value: role[word], rules }, field)
      }),
    ...setWords
      .filter((word) => direct && role[word].length > 0)
      .map((word) => withoutGateway(at(['roles', index, word]))),
  ])
  return direct && declared.recording !== undefined ? [withoutGateway(at(['recording'])), ...problems] : problems
}

type Checked = {
  readonly word: keyof SessionRules
  readonly value: unknown
  readonly rules: SessionRules | undefined
}

export function rulesProblems({ word, value, rules }: Checked, field: string): FieldProblem[] {
  if (!rules) return [{ field, message: 'This server was started without anyone who can check it.' }]
  return rules[word](value).map((message) => ({ field, message }))
}

const withoutGateway = (field: string): FieldProblem => ({
  field,
  message: 'Only a gateway does this, and access to this resource does not lead through one.',
  remedy: 'Write gateway: required, or leave it out.',
})
