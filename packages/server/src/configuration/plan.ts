/** What a configuration would change, in words: the plan is what a second person sees. */

import { createHash } from 'node:crypto'
import type { Output } from '@tidegate/api'
import { formatDuration, formatInstant } from '@tidegate/core'
import { originOf } from '../notify/destination.ts'
import type { DeclaredToken } from './schema.ts'
import type { Declared, Snapshot } from './snapshot.ts'

export type Plan = Output<'planConfig'>
export type PlanItem = Plan['items'][number]

type Kind = PlanItem['kind']

/**
 * What may be looked at by one person alone. Everything else says who may do what, who approves, or where a target is:
 * with four eyes on, it waits for a second administrator. A mail address does too: it says who signs in as someone.
 */
const insensitive: ReadonlySet<string> = new Set(['resource.description', 'role.description', 'user.name'])

/**
 * Everything a snapshot declares, flat: kind → id → field → value. What has changed is told by `exact`, and only shown
 * in `words`: two values that read the same are not the same, and a second person waits behind the difference.
 */
type Fields = ReadonlyMap<string, { readonly exact: string; readonly words: string }>
type Things = ReadonlyMap<string, { readonly kind: Kind; readonly id: string; readonly fields: Fields }>

export function planItems(before: Snapshot, after: Snapshot): PlanItem[] {
  const old = thingsOf(before)
  const present = thingsOf(after)
  const items: PlanItem[] = []
  for (const [key, thing] of present) {
    const was = old.get(key)
    const details = was
      ? changedFields(was.fields, thing.fields)
      : [...thing.fields]
          .filter(([, { exact }]) => !isEmpty(exact))
          .flatMap(([name, { words }]) => newField(name, words))
    if (was && details.length === 0) continue
    const names = was ? changedNames(was.fields, thing.fields) : undefined
    items.push({
      action: was ? 'change' : 'create',
      kind: thing.kind,
      id: thing.id,
      details,
      sensitive: isSensitive(thing.kind, names),
    })
  }
  for (const [key, { kind, id }] of old) {
    if (!present.has(key)) items.push({ action: 'remove', kind, id, details: [], sensitive: true })
  }
  return items
}

/** @param names the fields that change; absent: the thing is new */
const isSensitive = (kind: Kind, names: readonly string[] | undefined): boolean =>
  names === undefined || names.some((name) => !insensitive.has(`${kind}.${name}`))

const changedNames = (before: Fields, after: Fields): string[] =>
  [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name)?.exact !== after.get(name)?.exact)

const changedFields = (before: Fields, after: Fields): string[] =>
  changedNames(before, after).flatMap((name) => {
    const [was, is] = [before.get(name)?.words ?? '—', after.get(name)?.words ?? '—']
    const short = !`${was}${is}`.includes('\n')
    return short ? [`${name}: ${was} → ${is}`] : [`${name}:`, ...marked('- ', was), ...marked('+ ', is)]
  })

/** A text of several lines, such as a policy, is shown as it is written: in one line a comment would hide what follows. */
const marked = (mark: string, text: string): string[] => text.split('\n').map((line) => `${mark}${line}`)

const newField = (name: string, words: string): string[] =>
  words.includes('\n') ? [`${name}:`, ...marked('  ', words)] : [`${name}: ${words}`]

const isEmpty = (exact: string): boolean => exact === '[]' || exact === '{}'

function thingsOf(snapshot: Snapshot): Things {
  const things = new Map<string, { kind: Kind; id: string; fields: Fields }>()
  const add = (kind: Kind, id: string, value: object): void =>
    void things.set(`${kind}:${id}`, { kind, id, fields: flatten(value) })
  const {
    settings,
    identity,
    breakGlass,
    webhooks,
    users,
    services,
    agents,
    groups,
    guards,
    masks,
    recordings,
    resources,
  } = snapshot.declared
  if (snapshot.version > 0 || snapshot.files.length > 0) {
    const { requestTimeout, activationWindow, warnBefore } = settings
    const lengths = {
      requestTimeout: formatDuration(requestTimeout),
      activationWindow: formatDuration(activationWindow),
      warnBefore: formatDuration(warnBefore),
    }
    const sessions = {
      idle: formatDuration(identity.sessions.idle),
      longest: formatDuration(identity.sessions.longest),
    }
    const { firstFactor, local } = identity
    add('settings', 'settings', { ...settings, ...lengths, sessions, firstFactor, local })
  }
  if (breakGlass) {
    const { longest, review, ...rest } = breakGlass
    const within = formatDuration(review.within)
    add('break-glass', 'break-glass', { ...rest, longest: formatDuration(longest), review: { ...review, within } })
  }
  for (const { id, url, ...rest } of webhooks) add('webhook', id, { ...rest, url: destinationWords(url) })
  for (const { id, ...rest } of identity.providers) add('provider', id, rest)
  for (const { id, ...rest } of identity.scim) add('scim', id, rest)
  for (const { id, ...rest } of identity.issuers) add('issuer', id, rest)
  for (const { id, ...rest } of users) add('user', id, rest)
  for (const { id, ...rest } of services) add('service', id, rest)
  for (const { id, ...rest } of agents) add('agent', id, rest)
  for (const { id, members } of groups) add('group', id, { members: members.toSorted() })
  for (const { id, ...rest } of guards) add('guard', id, rest)
  for (const { id, ...rest } of masks) add('mask', id, rest)
  for (const { id, ...rest } of recordings) add('recording', id, rest)
  for (const { id, roles, ...rest } of resources) {
    add('resource', id, rest)
    for (const { name, ...role } of roles) add('role', `${id}/${name}`, role)
  }
  for (const { id, text } of snapshot.policies.policies) add('policy', id, { text })
  return things
}

/** Whoever has the whole of it may be able to write to its receiver: it is shown by where it leads, and told apart by a hash. */
const destinationWords = (url: string): string =>
  `${originOf(url)} (sha256:${createHash('sha256').update(url).digest('hex').slice(0, 16)}…)`

const inWords = (path: string, value: unknown): string => {
  if (typeof value === 'string') return value
  if (!Array.isArray(value) || value.length === 0) return JSON.stringify(value)
  if (path === 'tokens') return (value as DeclaredToken[]).map(tokenWords).join(', ')
  return value.every((one) => typeof one === 'string') ? value.join(', ') : JSON.stringify(value)
}

/** Enough of the hash to tell tokens apart at a glance. */
const tokenWords = ({ hash, expires }: DeclaredToken): string => `${hash.slice(0, 23)}… until ${formatInstant(expires)}`

/** `labels.env: production`. Lists of plain values stay on one line. Holds no secret: configuration has only references and hashes. */
function flatten(value: object, prefix = ''): Fields {
  const fields = new Map<string, { exact: string; words: string }>()
  for (const [name, member] of Object.entries(value) as [string, unknown][]) {
    if (member === undefined) continue
    const path = `${prefix}${name}`
    if (isMapping(member)) for (const [inner, field] of flatten(member, `${path}.`)) fields.set(inner, field)
    else fields.set(path, { exact: JSON.stringify(member), words: inWords(path, member) })
  }
  return fields
}

const isMapping = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0

/** Whether the second administrator has to see it. */
export const needsSecondPerson = (before: Snapshot, items: readonly PlanItem[]): boolean =>
  before.declared.settings.fourEyes && items.some(({ sensitive }) => sensitive)

/** Resources whose target has to be tended after the change. */
export function touchedResources(before: Declared, after: Declared): string[] {
  const text = (declared: Declared): Map<string, string> =>
    new Map(
      declared.resources.map((resource) => [
        resource.id,
        JSON.stringify([resource.connection, resource.kind, resource.roles]),
      ]),
    )
  const [old, present] = [text(before), text(after)]
  return [...new Set([...old.keys(), ...present.keys()])].filter((id) => old.get(id) !== present.get(id))
}
