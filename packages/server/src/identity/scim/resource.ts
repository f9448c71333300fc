/** People and groups as they are sent back: with what is asked for, and no more. RFC 7644, section 3.9. */

import { formatInstant } from '@tidegate/core'
import type { Document, Element } from './document.ts'
import { parsePath } from './filter.ts'
import type { GroupRow } from './groups.ts'
import type { ShownMember } from './members.ts'
import type { Row } from './row.ts'
import { etagOf } from './row.ts'
import type { Place, ResourceType } from './schema.ts'
import { groupType, placeOf, userType } from './schema.ts'
import type { UserRow } from './users.ts'

/** Absent: all that is shown by default. */
export type Selection = { readonly only?: readonly Place[]; readonly without: readonly Place[] }

/** Names that there are none of select nothing. */
export function readSelection(type: ResourceType, query: Readonly<Record<string, unknown>>): Selection {
  const only = placesIn(type, query['attributes'])
  return { ...(only.length > 0 && { only }), without: placesIn(type, query['excludedAttributes']) }
}

function placesIn(type: ResourceType, list: unknown): Place[] {
  const names = (typeof list === 'string' ? list : '').split(',', 100).map((name) => name.trim())
  return names.flatMap((name) => {
    const path = parsePath(name)
    return (path && placeOf(type, path)) ?? []
  })
}

/** Whether anything of an attribute is shown. */
export const shows = ({ only, without }: Selection, name: string): boolean =>
  (!only || only.some(({ attribute }) => attribute.name === name)) &&
  !without.some(({ attribute, part }) => attribute.name === name && !part)

type Showing = { readonly selection: Selection; readonly baseUrl: string }

export const showUser = (row: UserRow, showing: Showing): object =>
  show(userType, { row, document: row.document, ...showing })

export const showGroup = (row: GroupRow, members: readonly ShownMember[], showing: Showing): object =>
  show(groupType, { row, document: { displayName: row.name, ...(members.length > 0 && { members }) }, ...showing })

type Shown = Showing & { readonly row: Row; readonly document: Document }

function show(type: ResourceType, { row, document, selection, baseUrl }: Shown): object {
  const { id, externalId } = row
  const whole: Readonly<Record<string, unknown>> = {
    ...document,
    id,
    ...(externalId !== null && { externalId }),
    meta: metaOf(type, row, baseUrl),
  }
  const schemas = new Set([type.schema])
  const resource: Record<string, unknown> = {}
  for (const { name, schema } of type.attributes) {
    const value = whole[name]
    if (value === undefined || (name !== 'id' && !shows(selection, name))) continue
    if (schema === undefined) resource[name] = chosen(value, { name, selection })
    else {
      schemas.add(schema)
      resource[schema] = { ...(resource[schema] as object | undefined), [name]: value }
    }
  }
  return { schemas: [...schemas], ...resource }
}

export const locationOf = ({ endpoint }: ResourceType, { id }: Pick<Row, 'id'>, baseUrl: string): string =>
  `${baseUrl}${endpoint}/${id}`

const metaOf = (type: ResourceType, row: Row, baseUrl: string): object => ({
  resourceType: type.name,
  created: formatInstant(row.createdAt),
  lastModified: formatInstant(row.changedAt),
  location: locationOf(type, row, baseUrl),
  version: etagOf(row),
})

type Choosing = { readonly name: string; readonly selection: Selection }

/** Where parts of it are named, only these. */
function chosen(value: unknown, { name, selection }: Choosing): unknown {
  const parts = (places: readonly Place[] = []): string[] =>
    places.flatMap(({ attribute, part }) => (attribute.name === name && part ? [part.name] : []))
  const only = parts(selection.only)
  const without = parts(selection.without)
  if (only.length + without.length === 0) return value
  const pick = (element: Element): object =>
    Object.fromEntries(
      Object.entries(element).filter(([key]) => (only.length === 0 || only.includes(key)) && !without.includes(key)),
    )
  return Array.isArray(value) ? value.map(pick) : pick(value as Element)
}
