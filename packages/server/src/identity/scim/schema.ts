/**
 * What is known of people and groups here, as tables. What sources may say, filter by, patch and read back follows from
 * them, and so does what `/Schemas` answers. What stands in no table is let by and not kept.
 */

import type { Path } from './filter.ts'

export type Attribute = {
  readonly name: string
  readonly type: 'string' | 'boolean' | 'dateTime' | 'complex'
  readonly about: string
  /** The extension that it belongs to. Absent: the type's own. */
  readonly schema?: string
  /** Every resource has it, and no schema. */
  readonly common?: true
  readonly many?: true
  readonly required?: true
  readonly caseExact?: true
  readonly unique?: true
  readonly readOnly?: true
  readonly parts?: readonly Attribute[]
}

export type ResourceType = {
  readonly name: 'User' | 'Group'
  readonly endpoint: '/Users' | '/Groups'
  readonly about: string
  readonly schema: string
  readonly attributes: readonly Attribute[]
}

export const enterpriseUser = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'

const text = (name: string, about: string, more: Partial<Attribute> = {}): Attribute => ({
  name,
  type: 'string',
  about,
  ...more,
})

const common: readonly Attribute[] = [
  text('id', 'What it is called here, for ever.', { common: true, caseExact: true, readOnly: true, unique: true }),
  text('externalId', 'What the source calls it, for ever.', { common: true, caseExact: true, unique: true }),
  {
    name: 'meta',
    type: 'complex',
    about: 'What is known of the resource itself.',
    common: true,
    readOnly: true,
    parts: [
      { name: 'created', type: 'dateTime', about: 'Since when it is there.', readOnly: true },
      { name: 'lastModified', type: 'dateTime', about: 'When it changed last.', readOnly: true },
    ],
  },
]

export const userType: ResourceType = {
  name: 'User',
  endpoint: '/Users',
  about: 'A person.',
  schema: 'urn:ietf:params:scim:schemas:core:2.0:User',
  attributes: [
    ...common,
    text('userName', 'What the person signs in as.', { required: true, unique: true }),
    {
      name: 'name',
      type: 'complex',
      about: 'The name of the person.',
      parts: [
        text('formatted', 'The whole name.'),
        text('familyName', 'The family name.'),
        text('givenName', 'The given name.'),
      ],
    },
    text('displayName', 'What the person is called in lists.'),
    {
      name: 'active',
      type: 'boolean',
      about: 'Without this a person has no logins and no access, from that moment on.',
    },
    {
      name: 'emails',
      type: 'complex',
      about: 'Mail addresses. One of the provider’s domains says who the person is.',
      many: true,
      parts: [
        text('value', 'The address.'),
        text('type', 'Such as work or home.'),
        { name: 'primary', type: 'boolean', about: 'The one to use. At most one is.' },
      ],
    },
    {
      name: 'manager',
      type: 'complex',
      about: 'Who answers where a policy says manager.',
      schema: enterpriseUser,
      parts: [
        text('value', 'The manager’s id, userName or externalId.', { caseExact: true }),
        text('displayName', 'What the manager is called.'),
      ],
    },
  ],
}

export const groupType: ResourceType = {
  name: 'Group',
  endpoint: '/Groups',
  about: 'A group of people and groups of the same source.',
  schema: 'urn:ietf:params:scim:schemas:core:2.0:Group',
  attributes: [
    ...common,
    text('displayName', 'What configuration calls it, after the source and a slash.', { required: true, unique: true }),
    {
      name: 'members',
      type: 'complex',
      about: 'Who is in it.',
      many: true,
      parts: [
        text('value', 'The id of a person or group of the same source.', { caseExact: true }),
        text('type', 'User or Group.', { readOnly: true }),
        text('display', 'What the member is called.', { readOnly: true }),
      ],
    },
  ],
}

/** Names are the same in any case: RFC 7643, section 2.1. */
export const named = (attributes: readonly Attribute[], name: string): Attribute | undefined =>
  attributes.find((attribute) => attribute.name.toLowerCase() === name.toLowerCase())

export type Place = { readonly attribute: Attribute; readonly part?: Attribute }

/** `undefined`: there is no such attribute here. */
export function placeOf({ schema, attributes }: ResourceType, path: Path): Place | undefined {
  const attribute = named(attributes, path.name)
  if (!attribute || !isIn(attribute, { asked: path.schema, core: schema })) return undefined
  if (path.sub === undefined) return { attribute }
  const part = named(attribute.parts ?? [], path.sub)
  return part && { attribute, part }
}

function isIn(attribute: Attribute, { asked, core }: { asked: string | undefined; core: string }): boolean {
  const own = attribute.schema ?? core
  return asked === undefined ? attribute.schema === undefined : own.toLowerCase() === asked.toLowerCase()
}

/** Those that can be written, or left out. */
export const schemasOf = (type: ResourceType): string[] => [
  type.schema,
  ...new Set(type.attributes.flatMap(({ schema }) => schema ?? [])),
]
