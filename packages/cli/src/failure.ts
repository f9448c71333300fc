/** What goes wrong on this side of the wire, and how any failure is shown. */

import { ApiError, errors, toProblem } from '@tidegate/api'
import type { ErrorCode, FieldProblem } from '@tidegate/api'
import type { ExitName } from './exit-codes.ts'
import { exitOfError } from './exit-codes.ts'
import type { Line } from './output.ts'
import { styled } from './output.ts'
import { withoutTokens } from './terminal-text.ts'
import type { Decision } from './words/decision.ts'
import { decisionSchema, denialLines } from './words/decision.ts'

type Details = { readonly remedy?: string; readonly problems?: readonly FieldProblem[]; readonly cause?: unknown }

/** A refusal of the command line's own. The message and the remedy hold no secret. */
export class Failure extends Error {
  readonly exit: ExitName
  readonly details: Details

  constructor(exit: ExitName, message: string, details: Details = {}) {
    super(message, { cause: details.cause })
    this.name = 'Failure'
    this.exit = exit
    this.details = details
  }
}

/** A failure as it is shown, wherever it came from. */
export type Shown = {
  readonly exit: ExitName
  /** Goes to stderr with `--output json`: the server's problem object, or one of the same kind. */
  readonly problem: object
  readonly lines: readonly Line[]
}

/** Where the server's remedy speaks to programs, people are told in terms of this command line. */
const remediesHere: Partial<Record<ErrorCode, string>> = {
  unauthenticated: 'Run `tidegate login`, or set TIDEGATE_TOKEN; the token may have expired or been revoked.',
  'step-up-needed': 'Run `tidegate step-up`, with --passkey where a passkey is asked for. Then run this again.',
  unavailable: 'Check the address (`--url`, TIDEGATE_URL) and that the server runs, and try again.',
  'not-an-approver': '`tidegate requests show` and `tidegate statements show` name who can answer.',
  'change-stale': 'Run `tidegate apply` again: it plans on the present version.',
  'change-settled': 'Run `tidegate apply` again to make a new change.',
}

export function show(error: unknown): Shown {
  if (error instanceof ApiError) return showApiError(error)
  if (error instanceof Failure) return showOwn(error)
  // Its message only: a stack or a cause could carry what was sent.
  return showOwn(new Failure('failure', error instanceof Error ? error.message : 'Something unknown was thrown.'))
}

function showApiError(error: ApiError): Shown {
  const { detail, problems = [], decision } = error.details
  const { title, remedy } = errors[error.code]
  const parsed = decisionSchema.safeParse(decision)
  return {
    exit: exitOfError[error.code],
    problem: toProblem(error),
    lines: [
      [styled('red', 'error: '), detail ?? title],
      ...problems.flatMap(problemLines),
      ...(parsed.success ? denialLines(withoutSaid(parsed.data, detail)) : []),
      ...(parsed.success && parsed.data.outcome === 'deny' ? [] : [`  ${remediesHere[error.code] ?? remedy}`]),
    ],
  }
}

/** What was said as what happened is not said again as a reason for it. */
const withoutSaid = <T extends Decision>(decision: T, said: string | undefined): T => ({
  ...decision,
  reasons: decision.reasons.filter((reason) => reason !== said),
})

function showOwn(error: Failure): Shown {
  const title = withoutTokens(error.message)
  const { remedy, problems = [] } = error.details
  return {
    exit: error.exit,
    problem: {
      code: error.exit,
      title,
      ...(remedy !== undefined && { remedy }),
      ...(problems.length > 0 && { problems }),
    },
    lines: [
      [styled('red', 'error: '), title],
      ...problems.flatMap(problemLines),
      ...(remedy === undefined ? [] : [`  ${remedy}`]),
    ],
  }
}

/** `policies.cedar:12:3 message`, as editors and terminals turn into a link. */
const problemLines = ({ field, message, remedy }: FieldProblem): readonly Line[] => [
  ['  ', styled('bold', field), ` ${message}`],
  ...(remedy === undefined ? [] : [`    ${remedy}`]),
]
