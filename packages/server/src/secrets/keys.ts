/** Master keys: the one that seals, and those beside it that only open, while one takes the place of another. */

import { hkdfSync } from 'node:crypto'

/** Says which key a value is sealed with. Eight hexadecimal digits that say nothing else about it. */
export type KeyId = string & { readonly __brand: 'KeyId' }

export type OneKey = { readonly id: KeyId; readonly bytes: Uint8Array }

export type Keys = readonly [OneKey, ...OneKey[]]

export type MasterKey = {
  /** All that were given. Each opens what it has sealed. */
  readonly keys: Keys
  /** The one that seals: the store's. */
  readonly sealing: () => OneKey
  /** The store's key is this one from now on. `false`: it was not given, and nothing changes. */
  readonly follow: (id: KeyId) => boolean
}

/** Keys are 256 random bits, so what is derived from one leads nobody back to it. */
export function makeKey(bytes: Uint8Array): OneKey {
  const id = Buffer.from(hkdfSync('sha256', bytes, '', 'tidegate key id', 4)).toString('hex')
  return { id: id as KeyId, bytes }
}

/** The first one seals until the store says otherwise. */
export function createMasterKey(keys: Keys): MasterKey {
  let [sealing] = keys
  return {
    keys,
    sealing: () => sealing,
    follow(id) {
      const own = keys.find((one) => one.id === id)
      if (own) sealing = own
      return own !== undefined
    },
  }
}

/** What is made of a key for one use, other than sealing: a key of its own. */
export const derived = ({ bytes }: OneKey, use: string): Buffer => Buffer.from(hkdfSync('sha256', bytes, '', use, 32))
