/** docs/reference/openapi.json */

import { openApiDocument } from '@tidegate/api'
import workspace from '../../package.json' with { type: 'json' }

/** @throws where the document refers to something that is not in it */
export function openApiFile(): string {
  const document = openApiDocument(workspace.version)
  const dangling = references(document).filter((reference) => resolve(document, reference) === undefined)
  if (dangling.length > 0) throw new Error(`openapi.json refers to what is not there: ${dangling.join(', ')}`)
  return `${JSON.stringify(document, null, 2)}\n`
}

function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]: [string, unknown]) =>
    key === '$ref' && typeof item === 'string' ? [item] : references(item),
  )
}

/** What a `#/a/b` reference points to; our names need no unescaping. */
function resolve(document: unknown, reference: string): unknown {
  const [start, ...steps] = reference.split('/')
  if (start !== '#') return undefined
  return steps.reduce<unknown>((at, step) => (isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined), document)
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
