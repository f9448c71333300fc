/** As much of a browser as signing in takes: it follows redirects, keeps cookies for each host, and says where it is. */

import type { Answer } from './http.ts'
import { send } from './http.ts'

export type Browser = {
  readonly open: (url: string) => Promise<Visit>
  readonly step: (url: string) => Promise<Visit>
  /** As a form of the page, or a script on it, would. */
  readonly post: (url: string, body: string, headers?: Record<string, string>) => Promise<Visit>
  readonly call: (
    url: string,
    options?: { method?: string; body?: object; headers?: Record<string, string> },
  ) => Promise<Answer>
  readonly cookies: Jar
  /** Every `Set-Cookie` that was seen. */
  readonly seen: string[]
}

/** By host, by name. */
export type Jar = Map<string, Map<string, string>>

/** @property at where it ended up */
export type Visit = Answer & { readonly at: string }

export function createBrowser(): Browser {
  const cookies: Jar = new Map()
  const seen: string[] = []
  const jarOf = (url: string): Map<string, string> => {
    const { host } = new URL(url)
    const jar = cookies.get(host) ?? new Map<string, string>()
    cookies.set(host, jar)
    return jar
  }
  const keep = (url: string, answer: Answer): void => {
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) {
      seen.push(line)
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      const over = /max-age=0(;|$)/i.test(line) || /expires=Thu, 01 Jan 1970/i.test(line)
      if (over) jarOf(url).delete(name)
      else jarOf(url).set(name, value)
    }
  }
  const cookieHeader = (url: string): Record<string, string> => {
    const pairs = [...jarOf(url)].map(([name, value]) => `${name}=${value}`)
    return pairs.length > 0 ? { cookie: pairs.join('; ') } : {}
  }
  const request = async (
    url: string,
    method: string,
    extra: { body?: string; headers?: Record<string, string> },
  ): Promise<Visit> => {
    const { origin } = new URL(url)
    const headers = { ...cookieHeader(url), ...extra.headers }
    const answer = await send(origin, {
      method,
      path: url.slice(origin.length) || '/',
      headers,
      ...(extra.body !== undefined && { body: extra.body }),
    })
    keep(url, answer)
    return { ...answer, at: url }
  }
  const step = (url: string): Promise<Visit> => request(url, 'GET', {})
  const open = async (url: string): Promise<Visit> => {
    let visit = await step(url)
    for (let hops = 0; visit.status >= 300 && visit.status < 400; hops++) {
      if (hops === 20) throw new Error(`${url} leads in circles.`)
      visit = await step(new URL(String(visit.headers['location']), visit.at).href)
    }
    return visit
  }
  return {
    open,
    step,
    cookies,
    seen,
    post: (url, body, headers = {}) =>
      request(url, 'POST', { body, headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers } }),
    call: (url, { method = 'GET', body, headers = {} } = {}) =>
      request(url, method, {
        headers: {
          'x-tidegate-request': '1',
          origin: new URL(url).origin,
          ...(body && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body && { body: JSON.stringify(body) }),
      }),
  }
}
