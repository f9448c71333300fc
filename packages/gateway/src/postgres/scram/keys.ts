/** What SCRAM makes of a password: thousands of hashes for one salt, each time that a password is used anew. */

import { pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import { createTextCache } from '../../guard/cache.ts'
import { hmac, sha256 } from './verifier.ts'

const derive = promisify(pbkdf2)

/** Who has these can log in with them as with the password itself, while the server's salt is the same. */
export type ScramKeys = { readonly clientKey: Buffer; readonly serverKey: Buffer }

export type MakeKeys = (terms: ScramTerms) => Promise<ScramKeys>

export type ScramTerms = { readonly secret: string; readonly salt: Buffer; readonly iterations: number }

export const makeKeys: MakeKeys = async ({ secret, salt, iterations }) => {
  const salted = await derive(secret, salt, iterations, 32, 'sha256')
  return { clientKey: hmac(salted, 'Client Key'), serverKey: hmac(salted, 'Server Key') }
}

/** Remembers the keys that were made last, in memory: a login at a target has one salt, and is used again and again. */
export function createKeyRing(count: number): MakeKeys {
  const known = createTextCache<ScramKeys>({ texts: count, length: Infinity, textLength: Infinity })
  return async (terms) => {
    // The name of a password's keys is not the password.
    const name = sha256(Buffer.from(JSON.stringify([terms.secret, terms.salt.toString('base64'), terms.iterations])))
    const key = name.toString('base64')
    const found = known.get(key)
    if (found !== undefined) return found
    const made = await makeKeys(terms)
    known.set(key, made)
    return made
  }
}
