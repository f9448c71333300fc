/**
 * The channel binding `tls-server-end-point` (RFC 5929): the server's certificate, hashed as its signature was, with
 * SHA-256 instead of MD5 and SHA-1.
 */

import { createHash } from 'node:crypto'

/** By the object identifier of the signature's algorithm, as its bytes in hexadecimal. */
const hashes: Readonly<Record<string, string>> = {
  '2a864886f70d010104': 'sha256', // md5WithRSAEncryption
  '2a864886f70d010105': 'sha256', // sha1WithRSAEncryption
  '2a864886f70d01010b': 'sha256', // sha256WithRSAEncryption
  '2a864886f70d01010c': 'sha384', // sha384WithRSAEncryption
  '2a864886f70d01010d': 'sha512', // sha512WithRSAEncryption
  '2a864886f70d01010e': 'sha224', // sha224WithRSAEncryption
  '2a8648ce3d0401': 'sha256', // ecdsa-with-SHA1
  '2a8648ce3d040301': 'sha224', // ecdsa-with-SHA224
  '2a8648ce3d040302': 'sha256', // ecdsa-with-SHA256
  '2a8648ce3d040303': 'sha384', // ecdsa-with-SHA384
  '2a8648ce3d040304': 'sha512', // ecdsa-with-SHA512
}

/** `undefined`: the binding is not defined for this certificate (Ed25519, RSA-PSS), and is not offered. */
export function endpointBinding(certificate: Buffer): Buffer | undefined {
  const algorithm = signatureAlgorithm(certificate)
  const hash = algorithm === undefined ? undefined : hashes[algorithm]
  return hash === undefined ? undefined : createHash(hash).update(certificate).digest()
}

type Element = { readonly tag: number; readonly start: number; readonly end: number }

const tags = { sequence: 0x30, objectId: 0x06 } as const

/** `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { algorithm OBJECT IDENTIFIER, … }, … }` */
function signatureAlgorithm(der: Buffer): string | undefined {
  const certificate = elementAt(der, 0, tags.sequence)
  const signed = certificate && elementAt(der, certificate.start, tags.sequence)
  const algorithm = signed && elementAt(der, signed.end, tags.sequence)
  const id = algorithm && elementAt(der, algorithm.start, tags.objectId)
  return id && der.toString('hex', id.start, id.end)
}

function elementAt(der: Buffer, at: number, tag: number): Element | undefined {
  const first = der[at + 1]
  if (der[at] !== tag || first === undefined) return undefined
  const sizeBytes = first < 0x80 ? 0 : first & 0x7f
  if (sizeBytes > 4 || at + 2 + sizeBytes > der.length) return undefined
  const length = sizeBytes === 0 ? first : der.readUIntBE(at + 2, sizeBytes)
  const start = at + 2 + sizeBytes
  return start + length > der.length ? undefined : { tag, start, end: start + length }
}
