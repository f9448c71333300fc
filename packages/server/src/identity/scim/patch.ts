/**
 * PATCH, RFC 7644 section 3.5.2, as it is written there and as it is sent: operations in any case, values without a path
 * under dotted or whole names, what is to be removed in the value, one value where there may be several.
 */

import type { Bound } from './bound.ts'
import { bindElement, matches } from './bound.ts'
import type { Document, Element, Value } from './document.ts'
import { elementsAt, flat, isFields, onePrimary, readElement, readValue } from './document.ts'
import { refusal } from './errors.ts'
import type { Filter } from './filter.ts'
import { parseTarget } from './filter.ts'
import { scimLimits } from './limits.ts'
import type { Attribute, ResourceType } from './schema.ts'
import { placeOf } from './schema.ts'

const ops = ['add', 'replace', 'remove'] as const

export type Op = (typeof ops)[number]

/** One attribute, or a part of it, is changed. */
export type Step = {
  readonly op: Op
  readonly attribute: Attribute
  readonly part?: Attribute
  /** Of which of its values. Absent: of all. */
  readonly where?: Filter
  readonly value?: unknown
}

/** Of attributes that are not known here there is none. @throws {ScimError} for what is no patch */
export function readPatch(type: ResourceType, body: unknown): Step[] {
  const operations = isFields(body) ? (body['Operations'] ?? body['operations']) : undefined
  if (!Array.isArray(operations)) throw refusal('invalidSyntax', 'Send an object with a list of Operations.')
  if (operations.length > scimLimits.operations)
    throw refusal('tooMany', `There are more than ${scimLimits.operations} operations. Send fewer at once.`)
  return operations.flatMap((operation) => stepsOf(type, operation))
}

function stepsOf(type: ResourceType, operation: unknown): Step[] {
  const { op: said, path, value } = isFields(operation) ? operation : {}
  const op = ops.find((one) => typeof said === 'string' && one === said.toLowerCase())
  if (!op) throw refusal('invalidSyntax', `An operation has an op: ${ops.join(', ')}.`)
  if (typeof path === 'string' && path !== '') {
    const step = stepAt(type, path, { op, value })
    if (step?.attribute.readOnly || step?.part?.readOnly)
      throw refusal('mutability', `${path} is not for the source to change.`)
    return step ? [step] : []
  }
  if (path !== undefined && path !== null && path !== '') throw refusal('invalidPath', 'A path is text.')
  if (op === 'remove') throw refusal('noTarget', 'Say what to remove: a remove has a path.')
  if (!isFields(value))
    throw refusal('invalidValue', `An ${op} without a path has an object of attributes as its value.`)
  // Whole resources are sent back like this, with all that only we write.
  return flat(type, value)
    .filter(([key]) => key !== 'schemas')
    .flatMap(([key, inner]) => stepAt(type, key, { op, value: inner }) ?? [])
    .filter(({ attribute, part }) => !attribute.readOnly && !part?.readOnly)
}

function stepAt(type: ResourceType, text: string, rest: { op: Op; value: unknown }): Step | undefined {
  const { path, where } = parseTarget(text)
  const place = placeOf(type, path)
  if (!place) return undefined
  if (where && !place.attribute.many) throw refusal('invalidPath', `${path.name} has no values to choose from.`)
  return { ...rest, ...place, ...(where && { where }) }
}

export const applySteps = (document: Document, steps: readonly Step[]): Document => steps.reduce(applyStep, document)

function applyStep(document: Document, step: Step): Document {
  const { name } = step.attribute
  const { [name]: _before, ...others } = document
  const value = step.attribute.many ? severalAfter(elementsAt(document, name), step) : oneAfter(document[name], step)
  return value === undefined ? others : { ...others, [name]: value }
}

function oneAfter(before: Value | undefined, { op, attribute, part, value }: Step): Value | undefined {
  const element = typeof before === 'object' ? (before as Element) : {}
  if (part) return elementWith(element, { part, op, value })
  if (op === 'remove') return undefined
  const said = readValue(attribute, value)
  // Parts that are not said stay as they are.
  const merges = attribute.type === 'complex' && typeof said === 'object'
  return merges ? { ...element, ...(said as Element) } : said
}

type Part = { readonly part: Attribute; readonly op: Op; readonly value: unknown }

function elementWith(element: Element, { part, op, value }: Part): Element | undefined {
  const { [part.name]: _before, ...others } = element
  const said = op === 'remove' ? undefined : readValue(part, value)
  const after = said === undefined || typeof said === 'object' ? others : { ...others, [part.name]: said }
  return Object.keys(after).length === 0 ? undefined : after
}

function severalAfter(before: readonly Element[], step: Step): readonly Element[] | undefined {
  const after = step.where || step.part ? chosenAfter(before, step) : allAfter(before, step)
  if (after.length > scimLimits.values)
    throw refusal('invalidValue', `${step.attribute.name} has more than ${scimLimits.values} values.`)
  return after.length === 0 ? undefined : onePrimary(after)
}

function allAfter(before: readonly Element[], { op, attribute, value }: Step): readonly Element[] {
  const said = (readValue(attribute, value) ?? []) as readonly Element[]
  if (op === 'replace') return said
  if (op === 'remove') {
    const gone = said.map((one) => one['value'])
    return said.length === 0 ? [] : before.filter((one) => !gone.includes(one['value']))
  }
  const isThere = (one: Element): boolean => before.some((other) => sameElement(one, other))
  return [...before, ...said.filter((one) => !isThere(one))]
}

const sameElement = (one: Element, other: Element): boolean =>
  one['value'] === other['value'] && one['type'] === other['type']

function chosenAfter(before: readonly Element[], step: Step): readonly Element[] {
  const { op, attribute, part, where, value } = step
  const bound = where && bindElement(where, attribute)
  const isChosen = (one: Element): boolean => !bound || matches(bound, one)
  if (!before.some(isChosen)) return op === 'remove' ? before : [...before, made(step, bound)]
  return before.flatMap((one) => {
    if (!isChosen(one)) return [one]
    if (part) return elementWith(one, { part, op, value }) ?? []
    if (op === 'remove') return []
    return [{ ...one, ...readElement(attribute, value) }]
  })
}

/** `emails[type eq "work"].value` of someone who has none makes it: Entra ID counts on that. */
function made({ attribute, part, value, op }: Step, bound: Bound | undefined): Element {
  const said = part ? elementWith({}, { part, op, value }) : readElement(attribute, value)
  const known = bound ? equalities(bound) : {}
  if (!known) throw refusal('noTarget', `No value of ${attribute.name} is such.`)
  return { ...known, ...said }
}

/** What an element has to be for this to be so. `undefined`: that cannot be said. */
function equalities(bound: Bound): Element | undefined {
  if (bound.kind === 'compare' && bound.op === 'eq' && bound.value !== null)
    return { [bound.attribute.name]: bound.value }
  if (bound.kind !== 'and') return undefined
  const all = bound.of.map(equalities)
  const known = all.filter((one) => one !== undefined)
  return known.length < all.length ? undefined : Object.fromEntries(known.flatMap((one) => Object.entries(one)))
}

/** Which members a patch of a group adds and takes, in the end. */
export type MemberChange = {
  /** None of those who are in it stays, but those who are added. */
  readonly anew: boolean
  readonly added: ReadonlySet<string>
  readonly removed: ReadonlySet<string>
}

export function memberChange(steps: readonly Step[]): MemberChange {
  let anew = false
  let added = new Set<string>()
  let removed = new Set<string>()
  for (const step of steps) {
    const ids = step.where ? idsOfFilter(step.where, step) : memberIds(step.value)
    const all = step.op === 'replace' || (step.op === 'remove' && !step.where && ids.length === 0)
    if (all) [anew, added, removed] = [true, new Set(), new Set()]
    for (const id of ids) {
      const [into, outOf] = step.op === 'remove' ? [removed, added] : [added, removed]
      into.add(id)
      outOf.delete(id)
    }
    if (added.size + removed.size > scimLimits.members)
      throw refusal('tooMany', `There are more than ${scimLimits.members} members. Send fewer at once.`)
  }
  return { anew, added, removed }
}

/** @throws {ScimError} `invalidValue` for what names nobody */
export function memberIds(value: unknown): string[] {
  const list = value === undefined || value === null ? [] : [value].flat()
  if (list.length > scimLimits.members)
    throw refusal('tooMany', `There are more than ${scimLimits.members} members. Send fewer at once.`)
  return list.map((one) => {
    const id = isFields(one) ? (one['value'] ?? one['Value']) : one
    if (typeof id === 'string' && id !== '' && id.length <= scimLimits.text) return id
    throw refusal('invalidValue', 'A member is an object whose value is the id of a person or group.')
  })
}

/** `members[value eq "…"]`, and several of them joined by `or`. */
function idsOfFilter(where: Filter, { op, part }: Step): string[] {
  const list = where.kind === 'or' ? where.of : [where]
  if (op === 'remove' && !part) {
    const ids = list.map((one) =>
      one.kind === 'compare' && one.op === 'eq' && one.path.name.toLowerCase() === 'value' ? one.value : undefined,
    )
    if (ids.every((id) => typeof id === 'string')) return ids
  }
  throw refusal('invalidPath', 'Members are removed one by one: members[value eq "ID"].')
}
