/** A grant, in people's words. */

import type { Output } from '@tidegate/api'
import { endReasons } from '@tidegate/core'
import type { Context } from '../context.ts'
import type { Line, Part, Style } from '../output.ts'
import { styled } from '../output.ts'
import { lasting, relative, when } from './times.ts'

export type Grant = Output<'getGrant'>

type Clock = Pick<Context, 'now' | 'timeZone'>

const stateStyles: Partial<Record<Grant['state'], Style>> = {
  ready: 'cyan',
  provisioning: 'yellow',
  active: 'green',
  ending: 'yellow',
  ended: 'dim',
}

export function statePart({ state }: Grant): Part {
  const style = stateStyles[state]
  return style === undefined ? state : styled(style, state)
}

/** What its time does now. */
export function timeWords(clock: Clock, grant: Grant): string {
  switch (grant.state) {
    case 'scheduled':
      return `starts ${when(clock, grant.startAt)}, for ${lasting(grant.durationSeconds)}`
    case 'ready':
      return `${lasting(grant.durationSeconds)} once opened, by ${when(clock, grant.activateBy)}`
    case 'provisioning':
    case 'active':
      return `ends ${when(clock, grant.expiresAt)}`
    case 'ending':
      return grant.closing === undefined || grant.closing.failures === 0
        ? 'being closed'
        : `closing failed ${grant.closing.failures} times: ${grant.closing.lastFailure ?? 'no reason given'}`
    case 'ended':
      return `ended ${relative(clock, grant.endedAt)}${grant.end === undefined ? '' : `: ${endReasons[grant.end.reason]}`}`
  }
}

export function endedLines(grant: Grant): readonly Line[] {
  const why = grant.end === undefined ? '' : `: ${endReasons[grant.end.reason]}`
  return grant.state === 'ended'
    ? [[styled('green', 'Ended'), `: grant ${grant.id} (${grant.role})${why}.`]]
    : [
        [
          styled('green', 'Ending'),
          `: grant ${grant.id} (${grant.role})${why}. Sessions are cut and the target is read back.`,
        ],
      ]
}
