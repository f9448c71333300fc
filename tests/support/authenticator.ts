/**
 * An authenticator in software: as much of WebAuthn as a device does, by hand, so that a test can do each thing wrong
 * that a device does right.
 */

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** What a device would never say. */
export type Lie = {
  readonly origin?: string
  readonly host?: string
  readonly challenge?: string
  readonly counter?: number
  /** Without the person having been verified. */
  readonly unverified?: true
  readonly type?: string
}

export type Authenticator = {
  readonly create: (options: unknown, lie?: Lie) => string
  readonly get: (options: unknown, lie?: Lie) => string
  readonly id: string
}

type Options = { readonly challenge: string }

export function createAuthenticator(page: string): Authenticator {
  const { origin, hostname } = new URL(page)
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const id = randomBytes(32)
  let counter = 0

  const dataFor = ({ host = hostname, unverified, ...lie }: Lie, more: Buffer = Buffer.alloc(0)): Buffer => {
    counter = lie.counter ?? counter + 1
    const flags = 0x01 | (unverified ? 0 : 0x04) | (more.length > 0 ? 0x40 : 0)
    const count = Buffer.alloc(4)
    count.writeUInt32BE(counter)
    return Buffer.concat([createHash('sha256').update(host).digest(), Buffer.of(flags), count, more])
  }
  const clientData = (type: string, { challenge }: Options, lie: Lie): Buffer =>
    Buffer.from(
      JSON.stringify({
        type: lie.type ?? type,
        challenge: lie.challenge ?? challenge,
        origin: lie.origin ?? origin,
        crossOrigin: false,
      }),
    )
  const answer = (response: object): string =>
    JSON.stringify({
      id: id.toString('base64url'),
      rawId: id.toString('base64url'),
      type: 'public-key',
      clientExtensionResults: {},
      response,
    })

  return {
    id: id.toString('base64url'),
    create(options, lie = {}) {
      const key = coseKey(Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'))
      const length = Buffer.alloc(2)
      length.writeUInt16BE(id.length)
      const data = dataFor(lie, Buffer.concat([Buffer.alloc(16), length, id, key]))
      return answer({
        clientDataJSON: clientData('webauthn.create', options as Options, lie).toString('base64url'),
        attestationObject: attestation(data).toString('base64url'),
        transports: ['internal'],
      })
    },
    get(options, lie = {}) {
      const data = dataFor(lie)
      const client = clientData('webauthn.get', options as Options, lie)
      const signed = Buffer.concat([data, createHash('sha256').update(client).digest()])
      return answer({
        clientDataJSON: client.toString('base64url'),
        authenticatorData: data.toString('base64url'),
        signature: sign('sha256', signed, privateKey).toString('base64url'),
      })
    },
  }
}

/** CBOR, RFC 9053: an EC2 key for ES256. */
const coseKey = (x: Buffer, y: Buffer): Buffer =>
  Buffer.concat([Buffer.from('a5010203262001215820', 'hex'), x, Buffer.from('225820', 'hex'), y])

/** CBOR: `{ fmt: "none", attStmt: {}, authData }`. */
function attestation(data: Buffer): Buffer {
  const head = Buffer.from('a363666d74646e6f6e656761747453746d74a068617574684461746159', 'hex')
  const length = Buffer.alloc(2)
  length.writeUInt16BE(data.length)
  return Buffer.concat([head, length, data])
}
