/** The cookies of Tidegate: of this host alone, over TLS alone, out of reach of scripts. */

import type { Millis } from '@tidegate/core'
import { parse, serialize } from 'cookie'

const names = { login: '__Host-tidegate', attempt: '__Host-tidegate-attempt' } as const

type Name = keyof typeof names

/**
 * The value; `undefined` where there is none, or more than one: a cookie set from elsewhere would stand beside ours, and
 * nobody could say which is.
 */
export function readCookie(header: string | undefined, name: Name): string | undefined {
  if (header === undefined) return undefined
  const ours = header.split(';').filter((pair) => pair.trim().startsWith(`${names[name]}=`))
  return ours.length === 1 ? parse(ours[0] as string)[names[name]] : undefined
}

/** `lax`, because people come back from their provider, and to us from links in messages; both are navigations. */
const attributes = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const

export const cookieOf = (name: Name, value: string, lasts: Millis): string =>
  serialize(names[name], value, { ...attributes, maxAge: Math.max(0, Math.floor(lasts / 1_000)) })

export const noCookie = (name: Name): string => serialize(names[name], '', { ...attributes, maxAge: 0 })
