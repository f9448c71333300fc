/** C2SP signed-note: text signed by one or more Ed25519 keys, and the text forms of the keys. */

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

import { decodeBase64, encodeBase64, encodeUtf8, equalBytes, isWellFormed } from './bytes.ts'
import { limits } from './limits.ts'
import { failure } from './outcome.ts'
import type { Outcome } from './outcome.ts'

/** A key that notes are verified with. Its name and id together say which signature lines are its own. */
export type VerifierKey = {
  readonly name: string
  /** Four bytes: SHA-256(name || 0x0A || 0x01 || public key), cut. */
  readonly id: Uint8Array
  readonly publicKey: KeyObject
}

/** A key that signs notes. `secretKey` is a handle; it does not print. */
export type SignerKey = {
  readonly name: string
  readonly id: Uint8Array
  readonly secretKey: KeyObject
  /** What to hand to verifiers: see {@link parseVerifierKey}. */
  readonly vkey: string
}

/** One signature line. The signature is whatever the algorithm of its key made; unknown ones are kept. */
export type NoteSignature = { readonly name: string; readonly keyId: Uint8Array; readonly signature: Uint8Array }

/** A note taken apart. Nothing in it is to be used before {@link verifyNote}. */
export type Note = {
  /** What is signed, its final newline included. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

export type NoteProblem = 'malformed-note' | 'not-signed' | 'bad-signature'

const ed25519Type = 0x01
const ed25519KeyBytes = 32
const keyIdBytes = 4
/** The DER of SubjectPublicKeyInfo for Ed25519 up to the key itself (RFC 8410 section 4). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')
const signaturePrefix = '\u2014 '

/** Key names are not empty and hold no Unicode space, no `+` and no control character (signed-note, "Format"). */
export function isKeyName(name: string): boolean {
  return (
    isWellFormed(name) && Buffer.byteLength(name) <= limits.keyNameBytes && /^[^\p{White_Space}\p{Cc}+]+$/u.test(name)
  )
}

/**
 * A new key under a name. Throws a `RangeError` for what is no key name.
 * @returns the secret key as PKCS #8 DER, for a secret store, and the `vkey` to publish
 */
export function generateSignerKey(name: string): { readonly secretPkcs8: Uint8Array; readonly vkey: string } {
  const { privateKey } = generateKeyPairSync('ed25519')
  const secretPkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
  return { secretPkcs8, vkey: openSignerKey({ name, secretPkcs8 }).vkey }
}

/** Reads a secret key from PKCS #8 DER. Throws for what is no Ed25519 key, and a `RangeError` for no key name. */
export function openSignerKey({
  name,
  secretPkcs8,
}: {
  readonly name: string
  readonly secretPkcs8: Uint8Array
}): SignerKey {
  if (!isKeyName(name))
    throw new RangeError('a key name is not empty and holds no space, no "+" and no control character')
  const secretKey = createPrivateKey({ key: Buffer.from(secretPkcs8), format: 'der', type: 'pkcs8' })
  if (secretKey.asymmetricKeyType !== 'ed25519') throw new TypeError('the secret key is not an Ed25519 key')
  const publicBytes = rawPublicKey(createPublicKey(secretKey))
  return { name, id: keyId(name, publicBytes), secretKey, vkey: formatVkey(name, publicBytes) }
}

/**
 * Reads a verifier key: `<name>+<key id in hex>+<base64 of 0x01 and the public key>`, as Go's `sumdb/note` writes it.
 * `undefined` for anything else, a key id that is not the key's own and a signature type but Ed25519 included.
 */
export function parseVerifierKey(vkey: string): VerifierKey | undefined {
  const [, name = '', idHex = '', keyText = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey) ?? []
  const typed = decodeBase64(keyText)
  if (!isKeyName(name) || typed?.length !== 1 + ed25519KeyBytes || typed[0] !== ed25519Type) return undefined
  const publicBytes = typed.subarray(1)
  const id = keyId(name, publicBytes)
  if (Buffer.from(id).toString('hex') !== idHex) return undefined
  return {
    name,
    id,
    publicKey: createPublicKey({ key: Buffer.concat([spkiPrefix, publicBytes]), format: 'der', type: 'spki' }),
  }
}

/** Writes a verifier key in the form that {@link parseVerifierKey} reads. */
export function formatVerifierKey(key: VerifierKey): string {
  return formatVkey(key.name, rawPublicKey(key.publicKey))
}

/** Signs a text (signed-note, "Ed25519 signatures"). Throws a `RangeError` for a text that no note can have. */
export function signNote(text: string, signer: SignerKey): string {
  if (!isNoteText(text)) throw new RangeError('a note text ends in a newline and holds no other control character')
  const signature = sign(null, encodeUtf8(text), signer.secretKey)
  return formatNote({ text, signatures: [{ name: signer.name, keyId: signer.id, signature }] })
}

/** Writes a note. More signatures may be added to one, as witnesses do. */
export function formatNote({ text, signatures }: Note): string {
  const lines = signatures.map(
    ({ name, keyId: id, signature }) => `${signaturePrefix}${name} ${encodeBase64(Buffer.concat([id, signature]))}\n`,
  )
  return `${text}\n${lines.join('')}`
}

/** Takes a note apart without verifying it; `undefined` where it breaks the format. Never throws. */
export function parseNote(note: string): Note | undefined {
  const split = note.lastIndexOf('\n\n')
  if (split < 0 || Buffer.byteLength(note) > limits.noteBytes) return undefined
  const text = note.slice(0, split + 1)
  if (!isNoteText(text)) return undefined
  const lines = note.slice(split + 2).split('\n')
  if (lines.pop() !== '' || lines.length === 0 || lines.length > limits.noteSignatures) return undefined
  const signatures = lines.map(parseSignatureLine)
  return signatures.every((each) => each !== undefined) ? { text, signatures } : undefined
}

/**
 * Takes a note apart and verifies it (signed-note, "Signatures"): it must have a signature by the key, and each
 * signature under the key's name and id must hold. Other signatures are ignored, whatever they are. Never throws.
 */
export function verifyNote(note: string, key: VerifierKey): Outcome<Note, NoteProblem> {
  const parsed = parseNote(note)
  if (parsed === undefined) return failure('malformed-note', 'the text is not a signed note')
  const own = parsed.signatures.filter(({ name, keyId: id }) => name === key.name && equalBytes(id, key.id))
  if (own.length === 0) return failure('not-signed', `the note has no signature by ${formatVerifierKey(key)}`)
  const signed = encodeUtf8(parsed.text)
  if (!own.every(({ signature }) => verify(null, signed, key.publicKey, signature))) {
    return failure('bad-signature', `a signature by ${formatVerifierKey(key)} does not verify`)
  }
  return { ok: true, ...parsed }
}

function parseSignatureLine(line: string): NoteSignature | undefined {
  if (!line.startsWith(signaturePrefix)) return undefined
  const [name, encoded, ...more] = line.slice(signaturePrefix.length).split(' ')
  if (name === undefined || encoded === undefined || more.length > 0 || !isKeyName(name)) return undefined
  const bytes = decodeBase64(encoded)
  if (bytes === undefined || bytes.length <= keyIdBytes) return undefined
  return { name, keyId: bytes.subarray(0, keyIdBytes), signature: bytes.subarray(keyIdBytes) }
}

function isNoteText(text: string): boolean {
  return text.endsWith('\n') && isWellFormed(text) && [...text].every((char) => char >= ' ' || char === '\n')
}

function formatVkey(name: string, publicBytes: Uint8Array): string {
  const id = Buffer.from(keyId(name, publicBytes)).toString('hex')
  return `${name}+${id}+${encodeBase64(Buffer.concat([Uint8Array.of(ed25519Type), publicBytes]))}`
}

function keyId(name: string, publicBytes: Uint8Array): Uint8Array {
  return createHash('sha256')
    .update(`${name}\n`)
    .update(Uint8Array.of(ed25519Type))
    .update(publicBytes)
    .digest()
    .subarray(0, keyIdBytes)
}

function rawPublicKey(key: KeyObject): Uint8Array {
  return key.export({ format: 'der', type: 'spki' }).subarray(spkiPrefix.length)
}
