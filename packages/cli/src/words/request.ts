/** A request and what has become of it, in people's words. */

import type { Output } from '@tidegate/api'
import type { Context } from '../context.ts'
import type { ExitName } from '../exit-codes.ts'
import type { Line } from '../output.ts'
import { bold, command, listed, styled } from '../output.ts'
import { approverWords, denialLines, heldToWords, pathWords, policyWords, stepUpLines } from './decision.ts'
import { lasting, when } from './times.ts'

export type AccessRequest = Output<'getRequest'>

type Clock = Pick<Context, 'now' | 'timeZone'>

/** What waiting for a request, or filing one, exits with. */
export const exitOfStatus = {
  approved: 'ok',
  pending: 'waiting',
  denied: 'refused',
  cancelled: 'refused',
  expired: 'refused',
  failed: 'unavailable',
} as const satisfies Record<AccessRequest['status'], ExitName>

/** What became of it, and what to do next. */
export function outcomeLines(clock: Clock, request: AccessRequest): readonly Line[] {
  switch (request.status) {
    case 'approved':
      return approvedLines(request)
    case 'pending':
      return pendingLines(clock, request)
    case 'denied':
      return deniedLines(request)
    case 'cancelled':
      return [[bold('Cancelled'), `: request ${request.id} was taken back.`]]
    case 'expired':
      return [
        [
          styled('red', 'Expired'),
          request.extends === undefined
            ? `: no one answered request ${request.id} in time. Ask again, and tell ${askedWords(request)}.`
            : `: no one answered request ${request.id} before grant ${request.extends} was over. Request access again.`,
        ],
      ]
    case 'failed':
      return [
        [styled('red', 'Failed'), `: request ${request.id} was approved, but the target could not be opened.`],
        '  Ask again when the target is up.',
      ]
  }
}

/** The same without what to do next, for whoever does that next. */
export const newsLines = (clock: Clock, request: AccessRequest): readonly Line[] =>
  outcomeLines(clock, request).slice(0, request.status === 'approved' ? 1 : undefined)

function approvedLines(request: AccessRequest): readonly Line[] {
  const what = `: ${request.role} for ${lasting(request.durationSeconds)}`
  const approvers = request.approvals.filter(({ verdict }) => verdict === 'approve').map(({ approver }) => approver)
  const by = approvers.length > 0 ? listed(approvers, 'and') : policyWords(request.decision.policies)
  return [[styled('green', 'Granted'), `${what}, by ${by}.`], ...nextLines(request)]
}

function nextLines({ grant, role, startAt, extends: extended }: AccessRequest): readonly Line[] {
  if (grant === undefined) return []
  if (extended !== undefined) return [`  Grant ${grant} goes on, with its sessions and its credential as they are.`]
  return [
    startAt === undefined
      ? `  Grant ${grant} is ready; its time starts when it is opened.`
      : `  Grant ${grant} can be opened from its start time on.`,
    role.startsWith('tidegate/')
      ? ['  Use it: ', command(`tidegate assume ${role}`)]
      : ['  Open it: ', command(`tidegate connect ${role}`)],
  ]
}

function pendingLines(clock: Clock, request: AccessRequest): readonly Line[] {
  const { decision } = request
  if (decision.outcome === 'step-up') return stepUpLines(decision.need)
  return [
    [
      styled('yellow', 'Waiting'),
      ` for ${askedWords(request)}: request ${request.id}, until ${when(clock, request.pendingUntil)}.`,
    ],
    ...(decision.outcome === 'approve' && decision.paths.length > 0
      ? ['  It takes:', ...decision.paths.map((path): Line => ['  - ', pathWords(path)])]
      : []),
    ['  They answer with: ', command(`tidegate approve ${request.id}`)],
  ]
}

function deniedLines(request: AccessRequest): readonly Line[] {
  const denials = request.approvals.filter(({ verdict }) => verdict === 'deny')
  if (denials.length === 0)
    return [[styled('red', 'Refused'), `: ${request.role}, request ${request.id}.`], ...denialLines(request.decision)]
  return denials.map(({ approver, comment }): Line => [
    styled('red', 'Refused'),
    ` by ${approver}${comment === undefined ? '.' : `: ${comment}`}`,
  ])
}

/** Who can answer now. */
export const askedWords = ({ waitingFor }: Pick<AccessRequest, 'waitingFor'>): string =>
  waitingFor.length === 0 ? 'an approver' : approverWords(waitingFor)

/** Everything an approver should see before answering. */
export function requestDetails(clock: Clock, request: AccessRequest): readonly Line[] {
  const fields: readonly (readonly [string, string | undefined])[] = [
    ['request', request.id],
    ['who', request.principal],
    ['role', request.role],
    ['for', lasting(request.durationSeconds)],
    ['start', request.startAt === undefined ? undefined : when(clock, request.startAt)],
    ['reason', request.reason],
    ['ticket', request.ticket],
    ['task', request.task],
    ['filed', when(clock, request.filedAt)],
    ['status', request.status],
    ['held to', heldToWords(request.decision)],
    ['extends', request.extends],
    ['grant', request.grant],
  ]
  return [
    ...fields
      .filter(([, value]) => value !== undefined)
      .map(([name, value]): Line => [bold(name.padEnd(8)), value ?? '']),
    ...request.approvals.map(({ approver, verdict, as, comment, at }): Line => [
      bold('answer'.padEnd(8)),
      `${approver} (${approverWords(as)}): ${verdict}${comment === undefined ? '' : `, “${comment}”`}, ${when(clock, at)}`,
    ]),
    ...outcomeLines(clock, request),
  ]
}
