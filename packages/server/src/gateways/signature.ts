/** What a gateway says with its key. */

import { createPublicKey, verify } from 'node:crypto'

/** What stands before a raw Ed25519 key in its DER form (RFC 8410). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')

/** @property key raw  @property signature in base64 */
type Signed = { readonly text: string; readonly key: Buffer; readonly signature: string }

export function isSigned({ text, key: raw, signature }: Signed): boolean {
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' })
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'))
}
