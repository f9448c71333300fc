/**
 * What roles say of sessions: which statements are let through, and what is hidden of results. Gateways act on it and
 * know its words, so whoever starts the server hands in who can check them; the server itself only passes them on.
 */

import type { FieldProblem } from '@tidegate/api'
import type { DeclaredResource } from './schema.ts'

export type SessionRules = {
  /** What is wrong, each beginning with the field. Empty: nothing. */
  readonly guard: (value: unknown) => readonly string[]
  /** Who may answer to what a guard asks for: groups, and `owner`. */
  readonly approvers: (guard: unknown) => readonly string[]
  readonly mask: (value: unknown) => readonly string[]
}

type At = (path: readonly (string | number)[]) => string

const words = ['guard', 'mask'] as const
const setWords = ['guards', 'masks', 'recordings'] as const

/** A rule that nobody would act on is refused: absence of a gateway must not look like one that lets everything through. */
export function sessionProblems(
  declared: DeclaredResource,
  { at, ...checking }: Checking & { readonly at: At },
): FieldProblem[] {
  const direct = declared.gateway !== 'required'
  const problems = declared.roles.flatMap((role, index) => [
    ...words
      .filter((word) => role[word] !== undefined)
      .flatMap((word) => {
        const field = at(['roles', index, word])
        return direct
          ? [withoutGateway(field)]
          : rulesProblems({ word, value: role[word], owner: declared.owner, ...checking }, field)
      }),
    ...setWords
      .filter((word) => direct && role[word].length > 0)
      .map((word) => withoutGateway(at(['roles', index, word]))),
  ])
  return direct && declared.recording !== undefined ? [withoutGateway(at(['recording'])), ...problems] : problems
}

export type Checking = {
  readonly rules: SessionRules | undefined
  /** Those that are declared. */
  readonly groups: ReadonlySet<string>
}

type Checked = Checking & {
  readonly word: (typeof words)[number]
  readonly value: unknown
  /** The group that owns the resource, or any word where it may be for any resource. */
  readonly owner: string | undefined
}

export function rulesProblems({ word, value, rules, ...asking }: Checked, field: string): FieldProblem[] {
  if (!rules) return [{ field, message: 'This server was started without anyone who can check it.' }]
  const problems = rules[word](value).map((message) => ({ field, message }))
  if (word !== 'guard' || problems.length > 0) return problems
  return approverProblems(rules.approvers(value), asking).map((problem) => ({ field, ...problem }))
}

/** Who does not exist never answers, and a statement that waits for them only waits. */
function approverProblems(
  approvers: readonly string[],
  { groups, owner }: Pick<Checked, 'groups' | 'owner'>,
): Omit<FieldProblem, 'field'>[] {
  const nobody = {
    message: 'ask: nobody could answer, as the resource has no owner.',
    remedy: 'Give the resource an owner, or the rule approvers.',
  }
  return approvers.flatMap((approver) => {
    if (approver === 'owner') return owner === undefined ? [nobody] : []
    if (groups.has(approver)) return []
    return [{ message: `ask: There is no group ${approver}.`, remedy: 'Declare it, or correct the name.' }]
  })
}

const withoutGateway = (field: string): FieldProblem => ({
  field,
  message: 'Only a gateway does this, and access to this resource does not lead through one.',
  remedy: 'Write gateway: required, or leave it out.',
})
