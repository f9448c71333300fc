/** What holds of a recording, in people's words and as an exit code. */

import type { RecordingVerdict } from '@tidegate/gateway'
import type { Invocation } from '../context.ts'
import type { ExitName } from '../exit-codes.ts'
import { counted, styled } from '../output.ts'
import type { Found } from './find.ts'

/** Prints the verdict: it is what was asked for, so in JSON it goes to stdout, good or bad. */
export function printVerdict({ out }: Invocation, { session, folder }: Found, verdict: RecordingVerdict): void {
  out.item({ session, folder, ...verdict }, () => [
    [verdict.ok ? styled('green', 'Holds') : styled('red', 'Does not hold'), `: ${session}: ${verdict.detail}.`],
    ...(verdict.ok ? [] : [`  In ${folder}`]),
  ])
}

/** Of all that were looked at. */
export type Tally = { held: number; broken: number; unreadable: number }

export function count(tally: Tally, verdict: RecordingVerdict): void {
  if (verdict.ok) tally.held += 1
  else if (verdict.reason === 'unreadable') tally.unreadable += 1
  else tally.broken += 1
}

export const exitOf = ({ broken, unreadable }: Tally): ExitName =>
  broken > 0 ? 'verification-failed' : unreadable > 0 ? 'failure' : 'ok'

export const tallyWords = ({ held, broken, unreadable }: Tally): string =>
  [
    counted(held, 'recording holds', 'recordings hold'),
    ...(broken > 0 ? [`${counted(broken, 'does', 'do')} not`] : []),
    ...(unreadable > 0 ? [`${unreadable} could not be read`] : []),
  ].join(', ')
