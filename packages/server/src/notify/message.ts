/**
 * What a receiver is told of an entry: what stands in the log for everyone, and who it was. Reasons, comments and
 * addresses are committed to in the log and shown to who may see them; what has left cannot be erased, so they stay here.
 */

import type { LogEntry } from '@tidegate/audit'
import type { Instant } from '@tidegate/core'
import { formatInstant } from '@tidegate/core'
import type { EntryShape } from '../log/entry-types.ts'
import { entryTypes } from '../log/entry-types.ts'
import type { StoredEntry } from '../log/receipts.ts'

/** @property id of the entry, the same however often it is sent */
export type Message = { readonly id: string; readonly body: string }

/** Personal fields that are the key of a principal, and nothing else. */
const peopleFields = ['principal', 'onBehalfOf', 'by', 'approver', 'author'] as const

export type Told = StoredEntry & {
  readonly index: number
  /** Of the grant or request that it is about. */
  readonly resource: string | null
  readonly role: string | null
}

export function messageOf(told: Told, server: string): Message {
  const { entry, index } = told
  const { id, type, at: timestamp, request, grant } = entry
  const shape: EntryShape | undefined = Object.hasOwn(entryTypes, type)
    ? entryTypes[type as keyof typeof entryTypes]
    : undefined
  const data = {
    entry: id,
    index,
    about: shape?.about,
    ...whereOf(told),
    request,
    grant,
    who: whoOf(told),
    fields: Object.fromEntries((shape?.open ?? []).map((name) => [name, entry[name]])),
    server,
    look: lookOf(entry),
  }
  return { id, body: JSON.stringify({ version: 1, type, timestamp, data }) }
}

/** Of the same form, so that a receiver can be tried. */
export function testMessage({ id, at, server }: { id: string; at: Instant; server: string }): Message {
  const data = {
    about: 'Someone tries whether messages arrive. Nothing has happened.',
    server,
    look: 'tidegate webhooks',
  }
  return { id, body: JSON.stringify({ version: 1, type: 'webhook.test', timestamp: formatInstant(at), data }) }
}

type Where = { readonly resource?: string; readonly role?: string }

export function whereOf({ entry, resource, role }: Told): Where {
  const named = entry['role']
  if (typeof named === 'string' && named.includes('/')) return { resource: named.split('/')[0] as string, role: named }
  if (resource !== null) return { resource, ...(role !== null && { role: `${resource}/${role}` }) }
  const subject = typeof entry['subject'] === 'string' ? /^resource:(.+)$/.exec(entry['subject'])?.[1] : undefined
  const other = entry['resource'] ?? subject
  return typeof other === 'string' ? { resource: other } : {}
}

function whoOf({ disclosures }: Told): Readonly<Record<string, string>> {
  const said = peopleFields.flatMap((name) => {
    const value = disclosures.find(({ path }) => path === `/${name}`)?.value
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return Object.fromEntries(said)
}

/** The command that shows more to who may see it. */
function lookOf({ id, type, request }: LogEntry): string {
  if (type.startsWith('break-glass.')) return 'tidegate reviews'
  if (type.startsWith('finding.')) return 'tidegate findings'
  if (type.startsWith('webhook.')) return 'tidegate webhooks'
  return typeof request === 'string' ? `tidegate requests show ${request}` : `tidegate audit receipt ${id}`
}
