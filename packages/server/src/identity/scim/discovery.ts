/** What clients are told of this server: RFC 7644, section 4. Made from the tables. */

import { scimLimits } from './limits.ts'
import type { Attribute, ResourceType } from './schema.ts'
import { groupType, schemasOf, userType } from './schema.ts'

export const serviceProviderConfig = (baseUrl: string): object => ({
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
  patch: { supported: true },
  bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
  filter: { supported: true, maxResults: scimLimits.pageMost },
  changePassword: { supported: false },
  sort: { supported: false },
  etag: { supported: true },
  authenticationSchemes: [
    {
      type: 'oauthbearertoken',
      name: 'Bearer token',
      description: 'A token of the source, as configuration declares it.',
      specUri: 'https://www.rfc-editor.org/info/rfc6750',
      primary: true,
    },
  ],
  meta: { resourceType: 'ServiceProviderConfig', location: `${baseUrl}/ServiceProviderConfig` },
})

const types = [userType, groupType]

export const resourceTypes = (baseUrl: string): object[] =>
  types.map((type) => ({
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:ResourceType'],
    id: type.name,
    name: type.name,
    endpoint: type.endpoint,
    description: type.about,
    schema: type.schema,
    schemaExtensions: schemasOf(type)
      .slice(1)
      .map((schema) => ({ schema, required: false })),
    meta: { resourceType: 'ResourceType', location: `${baseUrl}/ResourceTypes/${type.name}` },
  }))

export const schemas = (baseUrl: string): { readonly id: string }[] =>
  types.flatMap((type) =>
    schemasOf(type).map((id) => ({
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:Schema'],
      id,
      name: id.slice(id.lastIndexOf(':') + 1),
      description: id === type.schema ? type.about : 'More about a person.',
      attributes: attributesOf(type, id).map(described),
      meta: { resourceType: 'Schema', location: `${baseUrl}/Schemas/${id}` },
    })),
  )

const attributesOf = ({ schema: own, attributes }: ResourceType, id: string): Attribute[] =>
  attributes.filter(({ common, schema = own }) => !common && schema === id)

function described(attribute: Attribute): object {
  const { name, type, about, parts } = attribute
  return {
    name,
    type,
    multiValued: attribute.many === true,
    description: about,
    required: attribute.required === true,
    ...(type === 'string' && { caseExact: attribute.caseExact === true }),
    mutability: attribute.readOnly ? 'readOnly' : 'readWrite',
    returned: 'default',
    uniqueness: attribute.unique ? 'server' : 'none',
    ...(parts && { subAttributes: parts.map(described) }),
  }
}
