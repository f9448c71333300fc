/**
 * Envelope encryption for what the store must keep secret: a fresh data key per value, AES-256-GCM, wrapped under the
 * master key. Both layers are bound to a purpose, so that a sealed value put in another's place does not open.
 *
 * Layout: version (1) ‖ nonce (12) ‖ wrapped key (32 + 16) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
 */

import { createCipheriv, createDecipheriv } from 'node:crypto'

export type MasterKey = { readonly bytes: Uint8Array }

const version = 1
const nonceBytes = 12
const tagBytes = 16
const keyBytes = 32
const wrappedBytes = nonceBytes + keyBytes + tagBytes

type Random = (count: number) => Uint8Array
type Sealing = { readonly key: MasterKey; readonly purpose: string }

export function seal(plaintext: Uint8Array, { key, purpose, random }: Sealing & { readonly random: Random }): Buffer {
  const dataKey = random(keyBytes)
  const wrapped = encrypt(dataKey, { key: key.bytes, nonce: random(nonceBytes), context: `wrap:${purpose}` })
  const body = encrypt(plaintext, { key: dataKey, nonce: random(nonceBytes), context: `data:${purpose}` })
  return Buffer.concat([Uint8Array.of(version), wrapped, body])
}

/** @throws when the key is another, the purpose is another, or a byte was changed */
export function open(sealed: Uint8Array, { key, purpose }: Sealing): Buffer {
  if (sealed[0] !== version || sealed.length < 1 + wrappedBytes + nonceBytes + tagBytes)
    throw new Error('not a sealed value')
  const dataKey = decrypt(sealed.subarray(1, 1 + wrappedBytes), { key: key.bytes, context: `wrap:${purpose}` })
  return decrypt(sealed.subarray(1 + wrappedBytes), { key: dataKey, context: `data:${purpose}` })
}

type Layer = { readonly key: Uint8Array; readonly context: string }

function encrypt(plaintext: Uint8Array, { key, nonce, context }: Layer & { readonly nonce: Uint8Array }): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function decrypt(box: Uint8Array, { key, context }: Layer): Buffer {
  const end = box.length - tagBytes
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, nonceBytes)).setAAD(Buffer.from(context))
  decipher.setAuthTag(box.subarray(end))
  return Buffer.concat([decipher.update(box.subarray(nonceBytes, end)), decipher.final()])
}
