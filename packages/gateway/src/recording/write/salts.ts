/** Fresh salts. Random bytes are asked for in advance: each time costs more than the bytes. */

import { saltBytes } from '../format/place.ts'

const atOnce = 64

export function createSalts(random: (count: number) => Uint8Array): () => Uint8Array {
  let bytes: Uint8Array = new Uint8Array()
  let used = 0
  return () => {
    if (used === bytes.length) {
      bytes = random(atOnce * saltBytes)
      used = 0
    }
    used += saltBytes
    return bytes.subarray(used - saltBytes, used)
  }
}
