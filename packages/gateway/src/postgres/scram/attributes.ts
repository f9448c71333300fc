/** The messages of SCRAM (RFC 5802, section 7): attributes in a fixed order, each a letter and a value. */

export const mechanisms = { plain: 'SCRAM-SHA-256', plus: 'SCRAM-SHA-256-PLUS' } as const

/** `tls-server-end-point` (RFC 5929): a hash of the server's certificate. */
export const bindingName = 'tls-server-end-point'

/** What comes before the channel binding in `c=`, and what says that there is none. */
export const gs2Headers = { bound: `p=${bindingName},,`, unbound: 'n,,', notOffered: 'y,,' } as const

/** Printable ASCII without the comma that would end it. */
const nonce = /^[\x21-\x2b\x2d-\x7e]{1,256}$/
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

export const isNonce = (text: string): boolean => nonce.test(text)

/** Strict, unlike Node's own, which skips what it does not know. */
export const readBase64 = (text: string): Buffer | undefined =>
  base64.test(text) ? Buffer.from(text, 'base64') : undefined

/** Reads `<letter>=<value>` for each of the letters in this order; further attributes may follow. */
export function readAttributes(message: string, letters: string): readonly string[] | undefined {
  const parts = message.split(',')
  const values = [...letters].map((letter, i) => (parts[i]?.startsWith(`${letter}=`) ? parts[i].slice(2) : undefined))
  return values.every((value) => value !== undefined) ? values : undefined
}
