/** A review of a use of break-glass, in people's words. */

import type { Output } from '@tidegate/api'
import type { Context } from '../context.ts'
import type { Line, Part } from '../output.ts'
import { styled } from '../output.ts'
import { relative, when } from './times.ts'

export type Review = Output<'closeReview'>

type Clock = Pick<Context, 'now' | 'timeZone'>

export const reviewLine = (clock: Clock, { id, dueAt }: Review): Line =>
  `  Someone else reviews it by ${when(clock, dueAt)}: review ${id}.`

export function reviewState(clock: Clock, { closedAt, closedBy, overdue, dueAt }: Review): Part {
  if (closedAt !== undefined) return `closed by ${closedBy} ${relative(clock, closedAt)}`
  return overdue
    ? styled('red', `overdue since ${when(clock, dueAt)}`)
    : styled('yellow', `due ${relative(clock, dueAt)}`)
}
