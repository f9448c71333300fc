/**
 * What a source said of a person or group, read by the tables: known names in their own spelling, values of their types,
 * nothing else. Empty is the same as absent: RFC 7643, section 2.5.
 */

import { asBoolean } from './bound.ts'
import { refusal } from './errors.ts'
import { isText, parsePath } from './filter.ts'
import { scimLimits } from './limits.ts'
import type { Attribute, ResourceType } from './schema.ts'
import { named, placeOf, schemasOf } from './schema.ts'

export type Element = Readonly<Record<string, string | boolean>>
export type Value = string | boolean | Element | readonly Element[]
/** By the names of the table; attributes of extensions stand beside the others. */
export type Document = Readonly<Record<string, Value>>

type Fields = Readonly<Record<string, unknown>>

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @throws {ScimError} `invalidSyntax` or `invalidValue` */
export function readDocument(type: ResourceType, body: unknown): Document {
  if (!isFields(body)) throw refusal('invalidSyntax', `Send a ${type.name} as a JSON object.`)
  const document: Record<string, Value> = {}
  for (const [key, said] of flat(type, body)) {
    const path = parsePath(key)
    const place = path && placeOf(type, path)
    if (!place || place.part || place.attribute.readOnly) continue
    const value = readValue(place.attribute, said)
    if (value !== undefined) document[place.attribute.name] = value
  }
  return checked(type, document)
}

/** What is in an extension, beside the rest, under its whole name. */
export const flat = (type: ResourceType, fields: Fields): [string, unknown][] =>
  Object.entries(fields).flatMap(([key, value]): [string, unknown][] => {
    const schema = schemasOf(type).find((one) => one.toLowerCase() === key.toLowerCase())
    if (schema === undefined) return [[key, value]]
    return isFields(value) ? Object.entries(value).map(([name, inner]) => [`${schema}:${name}`, inner]) : []
  })

/** @throws {ScimError} `invalidValue` for what is required and missing */
export function checked(type: ResourceType, document: Document): Document {
  const missing = type.attributes.find(({ name, required }) => required && document[name] === undefined)
  if (missing) throw refusal('invalidValue', `${missing.name} is missing. A ${type.name} has one.`)
  return document
}

/** `undefined`: it is not there. @throws {ScimError} `invalidValue`, with the name of the attribute */
export function readValue(attribute: Attribute, said: unknown): Value | undefined {
  if (!attribute.many) return readOne(attribute, said)
  const list = said === undefined || said === null ? [] : [said].flat()
  if (list.length > scimLimits.values)
    throw refusal('invalidValue', `${attribute.name} has more than ${scimLimits.values} values. Send fewer.`)
  const read = list.map((one) => readElement(attribute, one)).filter((one) => one !== undefined)
  return read.length === 0 ? undefined : onePrimary(read)
}

function readOne(attribute: Attribute, said: unknown): Value | undefined {
  if (said === undefined || said === null || said === '') return undefined
  if (attribute.type === 'complex') return readElement(attribute, said)
  if (attribute.type === 'boolean') {
    const value = asBoolean(said)
    if (value !== undefined) return value
    throw refusal('invalidValue', `${attribute.name} is true or false.`)
  }
  if (typeof said !== 'string' || !isText(said)) throw refusal('invalidValue', `${attribute.name} is text.`)
  if (said.length > scimLimits.text)
    throw refusal('invalidValue', `${attribute.name} has more than ${scimLimits.text} characters.`)
  return said
}

/** Where there is a part that is called value, that alone says the rest. */
export function readElement({ name, parts = [] }: Attribute, said: unknown): Element | undefined {
  const fields = typeof said === 'string' && named(parts, 'value') ? { value: said } : said
  if (fields === undefined || fields === null || fields === '') return undefined
  if (!isFields(fields))
    throw refusal('invalidValue', `${name} is an object with ${parts.map(({ name }) => name).join(', ')}.`)
  const element: Record<string, string | boolean> = {}
  for (const [key, inner] of Object.entries(fields)) {
    const part = named(parts, key)
    const value = part && readOne(part, inner)
    if (part && value !== undefined && typeof value !== 'object') element[part.name] = value
  }
  return Object.keys(element).length === 0 ? undefined : element
}

/** The last one that is said to be. */
export function onePrimary(elements: readonly Element[]): readonly Element[] {
  const last = elements.findLastIndex(({ primary }) => primary === true)
  return elements.map((one, index) => (one['primary'] === true && index !== last ? { ...one, primary: false } : one))
}

export const textAt = (document: Document, name: string): string | undefined => {
  const value = document[name]
  return typeof value === 'string' ? value : undefined
}

export const elementAt = (document: Document, name: string): Element | undefined => {
  const value = document[name]
  return typeof value === 'object' && !Array.isArray(value) ? (value as Element) : undefined
}

export const elementsAt = (document: Document, name: string): readonly Element[] => {
  const value = document[name]
  return Array.isArray(value) ? (value as readonly Element[]) : []
}
