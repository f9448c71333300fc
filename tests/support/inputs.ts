/** Inputs for an operation, made from its schema: as they should be, nearly so, and hostile. */

import fc from 'fast-check'
import { z } from 'zod'
import type { Operation } from '@tidegate/api'

type Schema = z.core.JSONSchema.BaseSchema

/** What text boxes, stores and terminals have choked on. */
const hostileText = fc.constantFrom(
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  'a\udfffb',
  '\u202e',
  '\u001b[2J',
  '\r\n',
  '../../etc/passwd',
  '%00',
  '%',
  "';drop table access_grant;--",
  '__proto__',
  'constructor',
  'toString',
  '{{7*7}}',
  '${env}',
  '-1',
  '0',
  '1e999',
  'NaN',
  'null',
  '9'.repeat(40),
  'é'.repeat(127),
  '😀'.repeat(64),
  'x'.repeat(129),
  'x'.repeat(5_000),
)

const hostileInstant = fc.constantFrom(
  '0000-01-01T00:00:00Z',
  '0000-01-01T00:00:00+23:59',
  '9999-12-31T23:59:59.999999999-23:59',
  '2026-02-30T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01',
)

const hostileDuration = fc.constantFrom(
  '0s',
  'PT0S',
  '-5m',
  '30',
  '1.5h',
  '10000d',
  '10001d',
  'P1Y',
  '99999999999999999999d',
  'd',
)

const hostile: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  hostileInstant,
  hostileDuration,
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(null, true, 0, -1, 1.5, 1e300, Number.MAX_SAFE_INTEGER, [], {}, [[]], { a: { b: {} } }, ['x', 'x']),
  fc.jsonValue({ maxDepth: 3 }),
)

/** By the name of a field: values that mean something in the world of the test. */
export type Known = Readonly<Record<string, readonly unknown[]>>

export function inputsFor(operation: Operation, known: Known): fc.Arbitrary<Record<string, unknown>> {
  const schema: Schema = z.toJSONSchema(operation.input, { io: 'input', unrepresentable: 'any' })
  const required = new Set(schema.required)
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const value = valueFor(field as Schema, known[name] ?? [])
    return [name, required.has(name) ? value : fc.option(value, { nil: undefined })] as const
  })
  const stranger = fc.oneof(
    { weight: 20, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: fc.dictionary(fc.constantFrom('extra', '__proto__', 'constructor', 'hasOwnProperty', ''), hostile, {
        maxKeys: 1,
      }),
    },
  )
  return fc.tuple(fc.record(Object.fromEntries(fields)), stranger).map(([input, more]) => ({ ...input, ...more }))
}

/** Mostly a value that fits, so that the others are met with everything else in order. */
const valueFor = (schema: Schema, known: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 6, arbitrary: known.length > 0 ? fc.constantFrom(...known) : fitting(schema) },
    { weight: 1, arbitrary: fitting(schema) },
    {
      weight: 2,
      arbitrary: schema.type === 'string' || schema.type === undefined ? fc.oneof(hostileText, hostile) : hostile,
    },
  )

function fitting(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => fitting(one)))
  switch (schema.type) {
    case 'string':
      return fc.oneof(fc.string({ minLength: 1, maxLength: 20 }), hostileText, hostileInstant, hostileDuration)
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer(), fc.maxSafeInteger())
    case 'boolean':
      return fc.boolean()
    case 'array':
      return fc.array(fitting((schema.items ?? {}) as Schema), { maxLength: 3 })
    case 'object':
      return fittingObject(schema)
    default:
      return fc.oneof(fc.integer({ min: 1, max: 500 }), hostileText)
  }
}

function fittingObject(schema: Schema): fc.Arbitrary<unknown> {
  const properties = Object.entries(schema.properties ?? {})
  if (properties.length > 0)
    return fc.record(Object.fromEntries(properties.map(([name, one]) => [name, fitting(one as Schema)])))
  const values = typeof schema.additionalProperties === 'object' ? fitting(schema.additionalProperties) : hostile
  return fc.dictionary(
    fc.oneof(fc.constantFrom('compliant', 'managed', 'open', 'level'), fc.string({ maxLength: 8 })),
    values,
    { maxKeys: 3 },
  )
}
