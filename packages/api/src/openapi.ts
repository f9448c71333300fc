/** OpenAPI 3.1 from the table of operations. */

import { z } from 'zod'
import type { ErrorCode } from './errors.ts'
import { errors } from './errors.ts'
import type { Operation } from './operations.ts'
import { commonErrors, operations, pathParameters } from './operations.ts'

type Json = Record<string, unknown>

export function openApiDocument(version: string): Json {
  const paths: Record<string, Json> = {}
  const schemas: Json = { Problem: problemSchema() }
  for (const [id, operation] of Object.entries<Operation>(operations)) {
    const method = operation.method.toLowerCase()
    paths[operation.path] = { ...paths[operation.path], [method]: describe(id, operation, schemas) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tidegate',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description: 'Just-in-time access. Instants are RFC 3339; errors are application/problem+json (RFC 9457).',
    },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    },
  }
}

/** Named schemas that the operation uses are added to `schemas`. */
function describe(id: string, operation: Operation, schemas: Json): Json {
  const input = lift(schema(operation.input, 'input'), schemas)
  const properties = (input['properties'] ?? {}) as Record<string, Json>
  const required = new Set((input['required'] as string[] | undefined) ?? [])
  const inPath = new Set(pathParameters(operation.path))
  const rest = Object.keys(properties).filter((name) => !inPath.has(name))
  const parameters = [
    ...[...inPath].map((name) => ({ name, in: 'path', required: true, schema: properties[name] })),
    ...(operation.method === 'GET' ? rest : []).map((name) => ({
      name,
      in: 'query',
      required: required.has(name),
      schema: properties[name],
    })),
    ...(operation.idempotent
      ? [{ name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', maxLength: 128 } }]
      : []),
  ]
  return {
    operationId: id,
    summary: operation.summary,
    description: `May be called by: ${operation.auth}.`,
    ...(operation.auth === 'anyone' && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(operation.method !== 'GET' && {
      requestBody: { required: true, content: { 'application/json': { schema: pick(input, rest) } } },
    }),
    responses: {
      [String(operation.status ?? 200)]: {
        description: 'Done.',
        content: { 'application/json': { schema: lift(schema(operation.output, 'output'), schemas) } },
      },
      ...errorResponses([...commonErrors, ...operation.errors]),
    },
  }
}

const schema = (type: z.ZodType, io: 'input' | 'output'): Json => {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(type, { io, unrepresentable: 'any', reused: 'inline' }) as Json
  return rest
}

/**
 * The schema with its named parts moved to `schemas`: zod puts a `$defs` into each schema, where a reference from
 * elsewhere in the document would not find it.
 */
function lift(type: Json, schemas: Json): Json {
  const { $defs = {}, ...rest } = type
  for (const [name, part] of Object.entries($defs as Record<string, Json>)) {
    const lifted = lift(part, schemas)
    if (schemas[name] !== undefined && JSON.stringify(schemas[name]) !== JSON.stringify(lifted))
      throw new Error(`Two different schemas are called ${name}.`)
    schemas[name] = lifted
  }
  return repoint(rest)
}

const repoint = (type: Json): Json =>
  JSON.parse(JSON.stringify(type), (key, value: unknown) =>
    key === '$ref' && typeof value === 'string' ? value.replace('#/$defs/', '#/components/schemas/') : value,
  ) as Json

function pick(object: Json, names: readonly string[]): Json {
  const properties = (object['properties'] ?? {}) as Record<string, Json>
  const required = ((object['required'] as string[] | undefined) ?? []).filter((name) => names.includes(name))
  return {
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, properties[name]])),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  }
}

function errorResponses(codes: readonly ErrorCode[]): Json {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of new Set(codes))
    byStatus.set(errors[code].status, [...(byStatus.get(errors[code].status) ?? []), code])
  const responses = [...byStatus]
    .toSorted(([a], [b]) => a - b)
    .map(([status, list]) => [
      String(status),
      {
        description: list.map((code) => `\`${code}\`: ${errors[code].title}`).join(' '),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ])
  return Object.fromEntries(responses) as Json
}

const problemSchema = (): Json => ({
  type: 'object',
  required: ['type', 'code', 'status', 'title', 'remedy'],
  properties: {
    type: { type: 'string' },
    code: { type: 'string', enum: Object.keys(errors) },
    status: { type: 'integer' },
    title: { type: 'string' },
    remedy: { type: 'string' },
    detail: { type: 'string' },
    problems: {
      type: 'array',
      items: {
        type: 'object',
        required: ['field', 'message'],
        properties: { field: { type: 'string' }, message: { type: 'string' }, remedy: { type: 'string' } },
      },
    },
    decision: { type: 'object' },
  },
})
