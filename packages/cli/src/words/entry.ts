/** An audit entry as a line. */

import type { Output } from '@tidegate/api'
import type { Context } from '../context.ts'
import type { Part } from '../output.ts'
import { bold, dim } from '../output.ts'
import { precise } from './times.ts'

export type AuditEntry = Output<'listEntries'>['items'][number]

/** What every entry has, and the line shows by itself. */
const envelope = ['v', 'id', 'type', 'at']

export const entryLine = (clock: Pick<Context, 'now' | 'timeZone'>, entry: AuditEntry): readonly Part[] => [
  dim(`${precise(clock, entry.at)} ${entry.index === undefined ? '#…' : `#${entry.index}`} `),
  bold(entry.type),
  ...Object.entries(entry.entry)
    .filter(([name]) => !envelope.includes(name))
    .map(([name, value]) => ` ${name}=${fieldText(entry.disclosed[`/${name}`] ?? value)}`),
]

/** A commitment that nothing is disclosed for says nothing to people. */
function fieldText(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value)
  if (value.startsWith('c1:')) return '(sealed)'
  return /[\s"]/.test(value) ? JSON.stringify(value) : value
}
