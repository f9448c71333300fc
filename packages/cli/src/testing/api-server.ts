/**
 * A stand-in for the server: real HTTP, the real table of operations, made-up answers. What goes in and out is held
 * to the table's schemas, so that a test cannot agree with a command on something that the API does not say.
 */

import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Operation, OperationId, Output, ParsedInput } from '@tidegate/api'
import { ApiError, operations, pathParameters, toProblem } from '@tidegate/api'

export type Handlers = {
  [Op in OperationId]?: (input: ParsedInput<Op>, call: Call) => Output<Op> | Promise<Output<Op>>
}

export type Call = {
  readonly operation: string
  readonly input: Readonly<Record<string, unknown>>
  readonly idempotencyKey: string | undefined
  readonly authorization: string | undefined
}

export type ApiServer = {
  readonly url: string
  /** In the order they came. */
  readonly calls: readonly Call[]
  readonly callsOf: (operation: OperationId) => readonly Call[]
  readonly close: () => Promise<void>
}

/** @param files served as they are by their path, as the published log is */
export async function startApiServer(
  handlers: Handlers,
  files: (path: string) => Uint8Array | undefined = () => undefined,
): Promise<ApiServer> {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    void answer({ request, response, handlers, files, calls })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    callsOf: (operation) => calls.filter((call) => call.operation === operation),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Exchange = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly handlers: Handlers
  readonly files: (path: string) => Uint8Array | undefined
  readonly calls: Call[]
}

/** Thrown by a handler: the connection breaks off without an answer. */
export const connectionLost = new Error('the connection is lost')

async function answer({ request, response, handlers, files, calls }: Exchange): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const file = files(url.pathname)
  if (file) return void response.end(file)
  try {
    const [id, operation, path] = route(request.method ?? '', url.pathname)
    const body = await readBody(request)
    const input = operation.input.parse({ ...Object.fromEntries(url.searchParams), ...body, ...path })
    const { authorization } = request.headers
    const key = request.headers['idempotency-key']
    const call = { operation: id, input, authorization, idempotencyKey: typeof key === 'string' ? key : undefined }
    calls.push(call)
    const handler = handlers[id] as ((input: unknown, call: Call) => unknown) | undefined
    if (!handler) throw new ApiError('internal', { detail: `The test does not expect ${id}.` })
    const output = operation.output.parse(await handler(input, call))
    response.writeHead(operation.status ?? 200, { 'content-type': 'application/json' }).end(JSON.stringify(output))
  } catch (error) {
    if (error === connectionLost) return void request.socket.destroy()
    const problem = toProblem(
      error instanceof ApiError ? error : new ApiError('internal', { detail: `In the test server: ${String(error)}` }),
    )
    response.writeHead(problem.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
  }
}

function route(method: string, pathname: string): readonly [OperationId, Operation, Record<string, string>] {
  for (const [id, operation] of Object.entries<Operation>(operations)) {
    const pattern = new RegExp(`^${operation.path.replace(/\{\w+\}/g, '([^/]+)')}$`)
    const match = operation.method === method ? pattern.exec(pathname) : null
    if (match) {
      const names = pathParameters(operation.path)
      return [
        id as OperationId,
        operation,
        Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(match[i + 1] ?? '')])),
      ]
    }
  }
  throw new ApiError('not-found', { detail: `No operation ${method} ${pathname}.` })
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array)
  return chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>)
}
