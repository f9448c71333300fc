/** Who a gateway is: a key that is made on its machine and never leaves it, and what it is called since it enrolled. */

import { createPrivateKey, createPublicKey, generateKeyPairSync, hkdfSync, type KeyObject, sign } from 'node:crypto'
import { join } from 'node:path'
import { makePrivate, putPrivate, readPrivate } from './private-file.ts'
import { GatewayRefusal } from './refusal.ts'

export type Identity = {
  /** Raw, in base64. */
  readonly publicKey: string
  /** Of a text, in base64. */
  readonly sign: (text: string) => string
  /** 32 bytes that only this identity has, the same each time. */
  readonly secretFor: (use: string) => Uint8Array
  /** Absent: it has not enrolled. */
  readonly enrolled: Enrolled | undefined
}

/** `url`: of the control plane that it enrolled with. */
export type Enrolled = { readonly gateway: string; readonly url: string }

const keyPath = (dir: string): string => join(dir, 'gateway.key')
const namePath = (dir: string): string => join(dir, 'identity.json')

/** Makes a key where there is none. @throws GatewayRefusal for a folder that cannot be used */
export async function loadIdentity(dir: string): Promise<Identity> {
  const key = readKey((await readPrivate(keyPath(dir))) ?? (await makePrivate(keyPath(dir), makeKey())), dir)
  const { x, d } = key.export({ format: 'jwk' })
  const seed = Buffer.from(d ?? '', 'base64url')
  return {
    publicKey: Buffer.from(x ?? '', 'base64url').toString('base64'),
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64'),
    secretFor: (use) => new Uint8Array(hkdfSync('sha256', seed, '', `tidegate gateway ${use}`, 32)),
    enrolled: readName(await readPrivate(namePath(dir)), dir),
  }
}

/** Once the control plane has taken the key. */
export const saveEnrolled = (dir: string, enrolled: Enrolled): Promise<void> =>
  putPrivate(namePath(dir), `${JSON.stringify(enrolled)}\n`)

const makeKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()

function readKey(pem: string, dir: string): KeyObject {
  try {
    const key = createPrivateKey(pem)
    if (createPublicKey(key).asymmetricKeyType === 'ed25519') return key
  } catch {
    // Said below, without what the file holds.
  }
  throw new GatewayRefusal(
    'setting',
    `${keyPath(dir)} is not a private Ed25519 key.`,
    'Use another folder, and enrol with a new token: tidegate gateways new NAME',
  )
}

function readName(text: string | undefined, dir: string): Enrolled | undefined {
  if (text === undefined) return undefined
  try {
    const { gateway, url } = JSON.parse(text) as Partial<Record<keyof Enrolled, unknown>>
    if (typeof gateway === 'string' && typeof url === 'string') return { gateway, url }
  } catch {
    // Said below.
  }
  throw new GatewayRefusal(
    'setting',
    `${namePath(dir)} does not say which gateway this is.`,
    'Use another folder, and enrol with a new token: tidegate gateways new NAME',
  )
}
