/** Whether a request comes from a page of ours, as far as the browser says. */

import type { Presented } from '../identity.ts'

/**
 * Anything that changes something has to say so itself; what is only read must at least not say otherwise.
 *
 * @param publicUrl where people reach this server
 */
export function isFromOwnPage({ method, headers }: Presented, publicUrl: string): boolean {
  const { origin } = headers
  const site = headers['sec-fetch-site']
  if (origin !== undefined && origin !== new URL(publicUrl).origin) return false
  if (site !== undefined && site !== 'same-origin') return false
  const reads = method === 'GET' || method === 'HEAD'
  return reads || origin !== undefined || site !== undefined
}
