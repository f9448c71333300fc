/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677), the half of it that PostgreSQL stores. The password itself never travels to the
 * target, so it cannot land in a server log, in `pg_stat_activity` or in a replica: only what can check it does.
 */

import { createHash, createHmac, pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(pbkdf2)

/** PostgreSQL's own default. A password of 256 random bits gains nothing from more. */
const iterations = 4096
const hash = 'sha256'
const hashBytes = 32

const saltBytes = 16
const passwordBytes = 32

export type MadePassword = { readonly password: string; readonly verifier: string }

/** 256 random bits in base64url, and the verifier for them. */
export async function makePassword(random: (count: number) => Uint8Array, salt?: Uint8Array): Promise<MadePassword> {
  const password = Buffer.from(random(passwordBytes)).toString('base64url')
  return { password, verifier: await scramVerifier(password, salt ?? random(saltBytes)) }
}

/** Makes one ahead while nothing waits for it: a verifier takes about as long as all else that opening a login takes. */
export function createPasswords(random: (count: number) => Uint8Array) {
  let ahead: Promise<MadePassword> | undefined
  return {
    /** Each is given out once. */
    take(): Promise<MadePassword> {
      const taken = ahead ?? makePassword(random)
      ahead = undefined
      return taken
    },
    prepare(): void {
      ahead ??= makePassword(random)
      // Whoever takes it hears of it.
      ahead.catch(() => undefined)
    },
  }
}

export type Passwords = ReturnType<typeof createPasswords>

/** As in `pg_authid.rolpassword`: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. */
export async function scramVerifier(password: string, salt: Uint8Array, rounds: number = iterations): Promise<string> {
  // SASLprep leaves printable ASCII as it is, and that is all that is made here.
  if (!/^[\x21-\x7e]+$/.test(password)) throw new RangeError('a password made here is printable ASCII')
  const salted = await derive(password, salt, rounds, hashBytes, hash)
  const storedKey = createHash(hash).update(keyed(salted, 'Client Key')).digest('base64')
  const serverKey = keyed(salted, 'Server Key').toString('base64')
  return `SCRAM-SHA-256$${rounds}:${Buffer.from(salt).toString('base64')}$${storedKey}:${serverKey}`
}

const keyed = (key: Buffer, label: string): Buffer => createHmac(hash, key).update(label).digest()
