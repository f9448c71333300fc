/** Forms of our pages, as a browser reads and sends them. */

import type { Browser, Visit } from './browser.ts'

export type Form = { readonly fields: Record<string, string>; readonly options: unknown }

const entities: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" }
const plain = (text: string): string => text.replaceAll(/&(amp|lt|gt|quot|#39);/g, (one) => entities[one] ?? one)

/** @throws where the page has no such form */
export function formOf({ text }: { readonly text: string }, action: string): Form {
  const [, attributes = '', body = ''] =
    [...text.matchAll(/<form([^>]*)>(.*?)<\/form>/gs)].find(([, said = '']) => said.includes(`action="${action}"`)) ??
    []
  if (attributes === '') throw new Error(`The page has no form for ${action}: ${text.slice(-600)}`)
  const attribute = (of: string, name: string): string | undefined => {
    const value = new RegExp(`${name}="([^"]*)"`).exec(of)?.[1]
    return value === undefined ? undefined : plain(value)
  }
  const inputs = [...body.matchAll(/<input([^>]*)>/gs)].map(([, said = '']) => said)
  const fields = inputs.flatMap((said) => {
    const name = attribute(said, 'name')
    return name === undefined ? [] : [[name, attribute(said, 'value') ?? '']]
  })
  const options = attribute(attributes, 'data-options')
  return { fields: Object.fromEntries(fields), options: options === undefined ? undefined : JSON.parse(options) }
}

/** As the page itself would send it. */
export const submit = (browser: Browser, url: string, fields: Readonly<Record<string, string>>): Promise<Visit> =>
  browser.post(url, new URLSearchParams(fields).toString(), {
    'content-type': 'application/x-www-form-urlencoded',
    origin: new URL(url).origin,
  })
