/** HTTP by hand, for what the typed client would never send. */

import { request } from 'node:http'
import type { Problem } from '@tidegate/api'

export type Sent = {
  readonly method?: string
  readonly path: string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** The address of this machine that it comes from. */
  readonly from?: string
}

export type Answer = {
  readonly status: number
  readonly type: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** The path goes out as it is written: nothing is normalised. */
export function send(url: string, { method = 'GET', path, token, headers = {}, body, from }: Sent): Promise<Answer> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        method,
        path,
        agent: false,
        ...(from !== undefined && { localAddress: from }),
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            type: response.headers['content-type'] ?? '',
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          })
        })
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

/** @throws when the answer is anything but a problem of ours */
export function problemOf({ type, text, status }: Answer): Problem {
  if (!type.startsWith('application/problem+json')) throw new Error(`${status} came as ${type}: ${text.slice(0, 200)}`)
  return JSON.parse(text) as Problem
}
