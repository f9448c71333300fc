/** What a SCRAM-SHA-256 server holds of a password, as PostgreSQL stores it: enough to check it, not enough to use it. */

import { createHash, createHmac } from 'node:crypto'

export type ScramVerifier = {
  readonly iterations: number
  readonly salt: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

const form = /^SCRAM-SHA-256\$(\d{1,9}):([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{43}=)$/

/** Reads `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`; `undefined` for anything else. */
export function readVerifier(text: string): ScramVerifier | undefined {
  const [, iterations, salt, storedKey, serverKey] = form.exec(text) ?? []
  if (iterations === undefined || Number(iterations) < 1) return undefined
  if (salt === undefined || storedKey === undefined || serverKey === undefined) return undefined
  return {
    iterations: Number(iterations),
    salt: Buffer.from(salt, 'base64'),
    storedKey: Buffer.from(storedKey, 'base64'),
    serverKey: Buffer.from(serverKey, 'base64'),
  }
}

/** What the verifiers of this place look like, so that a name that nobody has looks no different. */
const usual = { iterations: 4096, saltBytes: 16 } as const

/**
 * For a user that is not known: the same salt each time the name is tried, as a real one would have, and no password that
 * fits.
 * @param secret of this gateway, and the same over its restarts
 */
export function mockVerifier(secret: Uint8Array, user: string): ScramVerifier {
  const made = (use: string): Buffer => createHmac('sha256', secret).update(`${use}\0${user}`).digest()
  return {
    iterations: usual.iterations,
    salt: made('salt').subarray(0, usual.saltBytes),
    storedKey: made('stored key'),
    serverKey: made('server key'),
  }
}

export const hmac = (key: Uint8Array, data: string | Uint8Array): Buffer =>
  createHmac('sha256', key).update(data).digest()

export const sha256 = (data: Uint8Array): Buffer => createHash('sha256').update(data).digest()

export const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)))
