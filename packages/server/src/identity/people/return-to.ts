/** Where someone goes after signing in: to a path of ours, whatever was asked for. */

const home = '/login'

/** Nobody's link leads through our sign-in to somewhere else. */
export function returnPath(asked: unknown): string {
  if (typeof asked !== 'string' || asked.length > 1_000 || !/^\/[\x21-\x7e]*$/.test(asked)) return home
  // As a browser reads it: `//host`, `/\host` and the like are addresses of others.
  const base = 'http://tidegate.invalid'
  if (!URL.canParse(asked, base)) return home
  const url = new URL(asked, base)
  const path = `${url.pathname}${url.search}`
  // Also after `/..//host` was put in order.
  return url.origin === base && !asked.includes('\\') && !path.startsWith('//') ? path : home
}
