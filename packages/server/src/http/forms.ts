/** What browsers and OAuth clients send. */

import { ApiError } from '@tidegate/api'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** A form of ours, a provider's logout and a token request are some hundred bytes; a token of someone else's, some thousand. */
const formBytes = 16 * 1024

export function acceptForms(scope: FastifyInstance): void {
  scope.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: formBytes },
    (_request, body, parsed) => parsed(null, new URLSearchParams(String(body))),
  )
}

/** @throws {ApiError} where it is not a form */
export function formOf({ body }: FastifyRequest): URLSearchParams {
  if (body instanceof URLSearchParams) return body
  throw new ApiError('invalid-input', {
    problems: [{ field: 'body', message: 'Send a form, application/x-www-form-urlencoded.' }],
  })
}

/** Where a request comes from, as it is shown to people and written down. */
export function clientOf({ ip, headers }: FastifyRequest): { readonly address: string; readonly agent?: string } {
  const agent = headers['user-agent']
  return { address: ip, ...(agent !== undefined && { agent }) }
}
