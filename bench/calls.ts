/** Requests over connections that stay, by Node's own client: `fetch` costs a good part of what is measured. */

import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:http'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

export type Answered = {
  readonly status: number
  readonly body: string
  readonly location: string
  /** Name and value of the cookie that it gave. */
  readonly cookie: string
}

type Asked = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
  readonly json?: object
}

/** @throws for what is refused, with what was said */
export type Call = (asked: Asked) => Promise<Answered>

/** Each call says that it comes from another address, for servers that believe it. */
export function createCaller(url: string): { readonly call: Call; readonly close: () => void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  let calls = 0
  const call: Call = async ({ method = 'GET', path, headers, ...said }) => {
    const { body, type } = bodyOf(said)
    const n = calls++ % 65_536
    const from = { 'x-forwarded-for': `10.1.${n >> 8}.${n & 255}` }
    const sent = request(`${url}${path}`, { method, agent, headers: { ...from, ...type, ...headers } }).end(body)
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    const { statusCode: status = 0, headers: answered } = answer
    const whole = await text(answer)
    if (status >= 400) throw new Error(`${method} ${path.split('?')[0]} was answered with ${status}: ${whole}`)
    const cookie = answered['set-cookie']?.find((one) => !/=;/.test(one))?.split(';')[0] ?? ''
    return { status, body: whole, location: answered.location ?? '', cookie }
  }
  return { call, close: () => agent.destroy() }
}

function bodyOf({ form, json }: Pick<Asked, 'form' | 'json'>): { body?: string; type?: Record<string, string> } {
  if (form) {
    const body = new URLSearchParams(form).toString()
    return { body, type: { 'content-type': 'application/x-www-form-urlencoded' } }
  }
  return json ? { body: JSON.stringify(json), type: { 'content-type': 'application/json' } } : {}
}
