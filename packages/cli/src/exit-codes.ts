/** What the command line exits with. `docs/reference/cli.md` is rendered from these tables. */

import { constants } from 'node:os'
import type { ErrorCode } from '@tidegate/api'

export type ExitEntry = { readonly code: number; readonly meaning: string }

export const exits = {
  ok: { code: 0, meaning: 'It was done, or there was nothing to do.' },
  failure: { code: 1, meaning: 'Something went wrong, in Tidegate or around it.' },
  usage: { code: 2, meaning: 'The command line or its input is not valid. Nothing was done.' },
  refused: { code: 3, meaning: 'Refused: by policy, by an approver, or because the caller may not.' },
  waiting: { code: 4, meaning: 'It waits for someone: not answered yet, or not within the time given.' },
  unauthenticated: { code: 5, meaning: 'The caller is not known: no token, or one that is not valid.' },
  'not-found': { code: 6, meaning: 'There is no such thing, or the caller may not see it.' },
  unavailable: { code: 7, meaning: 'The server or the target cannot be reached. Trying again may help.' },
  'verification-failed': { code: 8, meaning: 'The audit log, the receipt or the recording does not verify.' },
  'step-up': { code: 9, meaning: 'It takes a stronger sign-in first: `tidegate step-up`. Nothing was done.' },
} as const satisfies Record<string, ExitEntry>

export type ExitName = keyof typeof exits

/** How a command ended: by name, or with the code of the program that it ran. */
export type Exit = ExitName | number

export const exitCode = (exit: Exit): number => (typeof exit === 'number' ? exit : exits[exit].code)

/** As shells say it: 128 and the signal's number. */
export const exitOfSignal = (signal: NodeJS.Signals): number => 128 + constants.signals[signal]

/** As shells and env(1) say that a program could not be run. */
export const programExits = { notExecutable: 126, notFound: 127 } as const

/** What each of the server's errors exits with. */
export const exitOfError = {
  'invalid-input': 'usage',
  'not-json': 'failure',
  'body-too-large': 'usage',
  unauthenticated: 'unauthenticated',
  'step-up-needed': 'step-up',
  forbidden: 'refused',
  'not-found': 'not-found',
  'unknown-role': 'not-found',
  'own-request': 'refused',
  'not-an-approver': 'refused',
  'already-answered': 'refused',
  'request-settled': 'refused',
  'request-changed': 'refused',
  'policy-refuses': 'refused',
  'grant-ended': 'refused',
  'grant-not-started': 'waiting',
  'grant-lapsed': 'refused',
  'grant-busy': 'unavailable',
  'target-unavailable': 'unavailable',
  'no-gateway': 'unavailable',
  'too-many': 'unavailable',
  'recording-away': 'unavailable',
  'too-many-views': 'unavailable',
  'session-open': 'refused',
  'statement-settled': 'refused',
  'key-change-under-way': 'waiting',
  'secret-limit': 'refused',
  'statement-limit': 'waiting',
  'break-glass-refused': 'refused',
  'own-review': 'refused',
  'review-closed': 'refused',
  'change-stale': 'refused',
  'change-settled': 'refused',
  'second-person-needed': 'refused',
  'no-local-accounts': 'refused',
  'idempotency-mismatch': 'failure',
  unavailable: 'unavailable',
  internal: 'failure',
} as const satisfies Record<ErrorCode, ExitName>
