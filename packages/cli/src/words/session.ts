/** A session through a gateway, in people's words. */

import type { Output } from '@tidegate/api'
import type { Context } from '../context.ts'
import type { Line, Part } from '../output.ts'
import { bold, counted, dim, styled } from '../output.ts'
import { hostPortText } from '../values.ts'
import { relative, when } from './times.ts'

export type Session = Output<'getSession'>

type Clock = Pick<Context, 'now' | 'timeZone'>

/** Whether it goes on, and why not. */
export function sessionStatePart(clock: Clock, { endedAt, endReason }: Session): Part {
  if (endedAt === undefined) return styled('green', 'open')
  return dim(`ended ${relative(clock, endedAt)}${endReason === undefined ? '' : `: ${endReason}`}`)
}

export function sessionLines(clock: Clock, session: Session): readonly Line[] {
  const fields: readonly Field[] = [
    ['session', session.id],
    ['who', session.principal],
    ['role', session.role],
    ['grant', session.grant],
    ['database', session.database],
    ['from', clientWords(session)],
    ['gateway', session.gateway],
    ['started', when(clock, session.startedAt)],
    ['state', sessionStatePart(clock, session)],
    ['statements', statementWords(session)],
    ['recorded', recordedWords(session)],
    ['deleted', deletedWords(clock, session)],
    ...usedFields(session),
  ]
  return fields.flatMap(([name, value]): readonly Line[] =>
    value === undefined ? [] : [[bold(name.padEnd(12)), value]],
  )
}

type Field = readonly [string, Part | undefined]

/** A table a line, with what was done to it. */
function usedFields({ used }: Session): readonly Field[] {
  if (used === undefined) return []
  const lines = Object.entries(used.tables).map(
    ([table, kinds]) => `${kinds.join(', ')}${table === '' ? '' : ` ${table}`}`,
  )
  const all = used.left === 0 ? lines : [...lines, `and ${used.left} more`]
  return all.map((line, index): Field => [index === 0 ? 'used' : '', line])
}

function deletedWords(clock: Clock, { deletion }: Session): string | undefined {
  if (deletion === undefined) return undefined
  const { at, askedAt, by, reason } = deletion
  const state = at === undefined ? `asked for ${relative(clock, askedAt)}` : relative(clock, at)
  return `${state} by ${by}: ${reason}`
}

function clientWords({ client }: Session): string {
  const application = client.application === '' ? '' : `, ${client.application}`
  return `${hostPortText({ host: client.address, port: client.port })}${application}${client.tls ? '' : ', without TLS'}`
}

const statementWords = ({ statements, refused = 0 }: Session): string | undefined =>
  statements === undefined ? undefined : `${statements}${refused === 0 ? '' : `, ${refused} of them refused`}`

/** What of the recording the server vouches for. */
const recordedWords = ({ head }: Session): string | undefined =>
  head === undefined
    ? undefined
    : `${counted(head.events, 'event', 'events')}, ${head.bytes} bytes, up to ${head.chain}`
