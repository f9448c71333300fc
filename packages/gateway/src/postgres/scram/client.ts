/**
 * SCRAM-SHA-256 and -PLUS, the client's side. The target proves itself too: one that does not know the password's
 * verifier cannot sign, and is not talked to.
 */

import { timingSafeEqual } from 'node:crypto'
import { postgresLimits } from '../limits.ts'
import { gs2Headers, isNonce, mechanisms, readAttributes, readBase64 } from './attributes.ts'
import { type MakeKeys, makeKeys } from './keys.ts'
import { hmac, sha256, xor } from './verifier.ts'

export type ScramClient = {
  readonly mechanism: string
  readonly first: string
  /** The final message for the server's first; a refusal to go on with its reason. */
  readonly final: (serverFirst: string) => Promise<ScramStep>
  /** Whether the server's final message proves that it knows the verifier. */
  readonly verify: (serverFinal: string) => boolean
}

export type ScramStep = { readonly message: string } | { readonly problem: string }

type ScramClientConfig = {
  /** Printable ASCII, so that SASLprep leaves it as it is. */
  readonly secret: string
  /** Absent: made anew. */
  readonly keysOf?: MakeKeys
  readonly nonce: string
  readonly offered: readonly string[]
  readonly overTls: boolean
  /** Of `tls-server-end-point`. Absent: no TLS, or a certificate that it is not defined for. */
  readonly binding?: Buffer
}

/** `undefined`: the server offers nothing that we speak. */
export function createScramClient(config: ScramClientConfig): ScramClient | undefined {
  const { secret, keysOf = makeKeys, nonce, offered, binding } = config
  const bound = offered.includes(mechanisms.plus) && binding !== undefined
  if (!bound && !offered.includes(mechanisms.plain)) return undefined
  const header = bound ? gs2Headers.bound : headerWithout(config)
  const channel = Buffer.concat([Buffer.from(header), bound ? binding : Buffer.alloc(0)]).toString('base64')
  // PostgreSQL takes the name of the startup packet, and nothing that is said here.
  const bare = `n=,r=${nonce}`
  let signature: Buffer | undefined

  return {
    mechanism: bound ? mechanisms.plus : mechanisms.plain,
    first: header + bare,
    async final(serverFirst) {
      const terms = readTerms(serverFirst, nonce)
      if (terms === undefined) return { problem: 'a first message of SCRAM that is malformed or has another nonce' }
      if (terms.iterations > postgresLimits.scramIterations) return { problem: `${terms.iterations} rounds of SCRAM` }
      const { clientKey, serverKey } = await keysOf({ secret, salt: terms.salt, iterations: terms.iterations })
      const withoutProof = `c=${channel},r=${terms.nonce}`
      const authMessage = `${bare},${serverFirst},${withoutProof}`
      const proof = xor(clientKey, hmac(sha256(clientKey), authMessage))
      signature = hmac(serverKey, authMessage)
      return { message: `${withoutProof},p=${proof.toString('base64')}` }
    },
    verify(serverFinal) {
      const [value] = readAttributes(serverFinal, 'v') ?? []
      const theirs = readBase64(value ?? '')
      if (signature === undefined || theirs?.length !== signature.length) return false
      return timingSafeEqual(signature, theirs)
    },
  }
}

/** Over TLS, `y` says that we could bind: a server that did offer it then knows that someone took its offer away. */
const headerWithout = ({ overTls, binding, offered }: ScramClientConfig): string =>
  overTls && binding !== undefined && !offered.includes(mechanisms.plus) ? gs2Headers.notOffered : gs2Headers.unbound

type Terms = { readonly nonce: string; readonly salt: Buffer; readonly iterations: number }

function readTerms(serverFirst: string, ours: string): Terms | undefined {
  const [nonce, salt, iterations] = readAttributes(serverFirst, 'rsi') ?? []
  if (nonce === undefined || salt === undefined || iterations === undefined) return undefined
  const bytes = readBase64(salt)
  const isOurs = nonce.startsWith(ours) && nonce.length > ours.length && isNonce(nonce)
  if (!isOurs || bytes === undefined || bytes.length === 0 || !/^[1-9]\d{0,8}$/.test(iterations)) return undefined
  return { nonce, salt: bytes, iterations: Number(iterations) }
}
