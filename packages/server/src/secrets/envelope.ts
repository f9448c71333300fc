/**
 * Envelope encryption for what the store must keep secret: a fresh data key per value, AES-256-GCM, wrapped under the
 * master key. Both layers are bound to a purpose, so that a sealed value put in another's place does not open.
 *
 * Layout: version (1) ‖ id of the master key (4) ‖ nonce (12) ‖ wrapped key (32 + 16) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
 *
 * What a value says is under its data key alone: another master key wraps that anew and leaves the rest as it is.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { KeyId, MasterKey } from './keys.ts'

export type { MasterKey } from './keys.ts'

const version = 1
const nonceBytes = 12
const tagBytes = 16
const keyBytes = 32
const idBytes = 4
const wrappedBytes = nonceBytes + keyBytes + tagBytes
const headBytes = 1 + idBytes
const bodyAt = headBytes + wrappedBytes

/** Where in a sealed value the id of its master key stands, and where what no other master key changes begins: for SQL. */
export const sealedLayout = { idFrom: 2, idBytes, bodyFrom: bodyAt + 1 } as const

type Random = (count: number) => Uint8Array
type Sealing = { readonly key: MasterKey; readonly purpose: string }

export function seal(plaintext: Uint8Array, { key, purpose, random }: Sealing & { readonly random: Random }): Buffer {
  const dataKey = random(keyBytes)
  const body = encrypt(plaintext, { key: dataKey, nonce: random(nonceBytes), context: `data:${purpose}` })
  return Buffer.concat([wrap(dataKey, { key, purpose, random }), body])
}

/** @throws when the key is none of these, the purpose is another, or a byte was changed */
export function open(sealed: Uint8Array, { key, purpose }: Sealing): Buffer {
  const dataKey = unwrap(sealed, { key, purpose })
  return decrypt(sealed.subarray(bodyAt), { key: dataKey, context: `data:${purpose}` })
}

/** The same value under the key that seals now. What it says is neither read nor changed. Throws like {@link open}. */
export function rewrap(sealed: Uint8Array, { key, purpose, random }: Sealing & { readonly random: Random }): Buffer {
  const dataKey = unwrap(sealed, { key, purpose })
  return Buffer.concat([wrap(dataKey, { key, purpose, random }), sealed.subarray(bodyAt)])
}

function wrap(dataKey: Uint8Array, { key, purpose, random }: Sealing & { readonly random: Random }): Buffer {
  const { id, bytes } = key.sealing()
  const wrapped = encrypt(dataKey, { key: bytes, nonce: random(nonceBytes), context: `wrap:${purpose}` })
  return Buffer.concat([Uint8Array.of(version), Buffer.from(id, 'hex'), wrapped])
}

function unwrap(sealed: Uint8Array, { key, purpose }: Sealing): Buffer {
  if (sealed[0] !== version || sealed.length < bodyAt + nonceBytes + tagBytes) throw new Error('not a sealed value')
  const id = Buffer.from(sealed.subarray(1, headBytes)).toString('hex') as KeyId
  const own = key.keys.find((one) => one.id === id)
  if (!own) throw new Error(`sealed with the master key ${id}, which this server was not given`)
  return decrypt(sealed.subarray(headBytes, bodyAt), { key: own.bytes, context: `wrap:${purpose}` })
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
