/**
 * SCRAM-SHA-256 and -PLUS, the server's side, from a stored verifier. A name that nobody has takes the same course with
 * a verifier that nothing fits, and fails where a wrong password does.
 */

import { timingSafeEqual } from 'node:crypto'
import { bindingName, gs2Headers, isNonce, mechanisms, readAttributes, readBase64 } from './attributes.ts'
import { hmac, type ScramVerifier, sha256, xor } from './verifier.ts'

export type ScramServer = {
  readonly mechanisms: readonly string[]
  /** Answers the client's first message. */
  readonly first: (mechanism: string, message: string) => ScramAnswer
  /** Answers its final one, once. */
  readonly final: (message: string) => ScramAnswer
  /** Whether what was wrong is right by another verifier, once. It needs the salt and the count that the client was told. */
  readonly again: (verifier: ScramVerifier) => ScramAnswer
}

export type ScramAnswer =
  | { readonly outcome: 'continue'; readonly message: string }
  /** The client broke the protocol: said to it, unlike why a proof is wrong. */
  | { readonly outcome: 'malformed'; readonly reason: string }
  | { readonly outcome: 'wrong' }

type ScramServerConfig = {
  readonly verifier: ScramVerifier
  /** Ours, printable ASCII without a comma. */
  readonly nonce: string
  /** Of `tls-server-end-point`. Absent: no TLS, or a certificate that it is not defined for. */
  readonly binding?: Buffer
}

type Exchange = {
  readonly nonce: string
  /** What `c=` must carry. */
  readonly channel: Buffer
  /** `client-first-message-bare,server-first-message,` of the AuthMessage. */
  readonly soFar: string
}

const malformed = (reason: string): ScramAnswer => ({ outcome: 'malformed', reason })

export function createScramServer({ verifier, nonce, binding }: ScramServerConfig): ScramServer {
  const offered = binding === undefined ? [mechanisms.plain] : [mechanisms.plus, mechanisms.plain]
  let exchange: Exchange | undefined
  let wrong: { readonly begun: Exchange; readonly message: string } | undefined

  return {
    mechanisms: offered,
    first(mechanism, message) {
      const header = /^(?:n|y|p=[A-Za-z0-9.-]+),[^,]*,/.exec(message)?.[0]
      if (header === undefined) return malformed('no GS2 header')
      const problem = channelProblem(header, mechanism, binding !== undefined)
      if (problem !== undefined) return malformed(problem)
      const bare = message.slice(header.length)
      const [, theirs] = readAttributes(bare, 'nr') ?? []
      if (theirs === undefined || !isNonce(theirs)) return malformed('no user name and nonce')
      const both = theirs + nonce
      const answer = `r=${both},s=${verifier.salt.toString('base64')},i=${verifier.iterations}`
      const data = mechanism === mechanisms.plus && binding !== undefined ? binding : Buffer.alloc(0)
      exchange = { nonce: both, channel: Buffer.concat([Buffer.from(header), data]), soFar: `${bare},${answer},` }
      return { outcome: 'continue', message: answer }
    },
    final(message) {
      const begun = exchange
      exchange = undefined
      if (begun === undefined) return malformed('a final message before the first')
      const answer = checkFinal(verifier, begun, message)
      wrong = answer.outcome === 'wrong' ? { begun, message } : undefined
      return answer
    },
    again(other) {
      const tried = wrong
      wrong = undefined
      const isKin = other.iterations === verifier.iterations && equal(other.salt, verifier.salt)
      return tried !== undefined && isKin ? checkFinal(other, tried.begun, tried.message) : { outcome: 'wrong' }
    },
  }
}

/** Who may say what about channel binding: a client that could bind and was not offered it has met someone in between. */
function channelProblem(header: string, mechanism: string, canBind: boolean): string | undefined {
  if (mechanism !== mechanisms.plain && (mechanism !== mechanisms.plus || !canBind)) return 'a mechanism not offered'
  const [flag, identity] = header.split(',')
  if (identity !== '') return 'an authorization identity, which is not supported'
  if (mechanism === mechanisms.plus) {
    return header === gs2Headers.bound ? undefined : `a channel binding other than ${bindingName}`
  }
  if (flag?.startsWith('p=')) return 'channel binding with a mechanism that has none'
  return flag === 'y' && canBind ? 'the client did not see that channel binding was offered' : undefined
}

function checkFinal(verifier: ScramVerifier, exchange: Exchange, message: string): ScramAnswer {
  const [channel, nonce] = readAttributes(message, 'cr') ?? []
  const proofAt = message.lastIndexOf(',p=')
  const proof = proofAt < 0 ? undefined : readBase64(message.slice(proofAt + 3))
  const sent = readBase64(channel ?? '')
  if (nonce === undefined || sent === undefined || proof?.length !== 32) return malformed('an incomplete final message')
  if (nonce !== exchange.nonce) return malformed('another nonce')
  if (!equal(sent, exchange.channel)) return malformed('channel binding does not match')
  const authMessage = exchange.soFar + message.slice(0, proofAt)
  const clientKey = xor(proof, hmac(verifier.storedKey, authMessage))
  if (!equal(sha256(clientKey), verifier.storedKey)) return { outcome: 'wrong' }
  return { outcome: 'continue', message: `v=${hmac(verifier.serverKey, authMessage).toString('base64')}` }
}

const equal = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b)
