/** What stands in the place of a value. */

import { createHmac } from 'node:crypto'
import { type DetectorKind, partialEmail, replaceFound } from './detectors.ts'
import type { Detection, MaskMethod } from './rules.ts'

/** The same for all, so that not even a length is told. */
export const hidden = '***'

/** `null`: there is no value. */
export type Masker = (text: string) => string | null

export type Maskers = Readonly<Record<MaskMethod, Masker>>

export function createMaskers(key: Uint8Array): Maskers {
  const hash: Masker = (text) => `hash:${createHmac('sha256', key).update(text).digest('hex').slice(0, 32)}`
  return { full: () => hidden, partial, hash, null: () => null }
}

/** An address keeps its first character and its domain, anything else its last third, four characters at most. */
function partial(text: string): string {
  if (text.includes('@')) return partialEmail(text)
  const kept = text.length - Math.min(4, Math.floor(text.length / 3))
  return '*'.repeat(kept) + text.slice(kept)
}

/** `undefined` where nothing was found. `null` where what was found is not to be there at all. */
export type Detecting = (text: string) => string | null | undefined

export function createDetecting(detections: readonly Detection[], maskers: Maskers): Detecting | undefined {
  const rows = detections.flatMap(({ kinds, by }) => kinds.map((kind) => [kind, by] as const))
  if (rows.length === 0) return undefined
  return (text) => {
    let current: string | null | undefined
    for (const [kind, by] of rows) {
      const found = replaceIn(current ?? text, { kind, by, maskers })
      if (found === null) return null
      current = found ?? current
    }
    return current
  }
}

type Replacing = { readonly kind: DetectorKind; readonly by: MaskMethod; readonly maskers: Maskers }

function replaceIn(text: string, { kind, by, maskers }: Replacing): string | null | undefined {
  const replaced = replaceFound(text, kind, (found, keepSome) =>
    by === 'partial' ? keepSome(found) : (maskers[by](found) ?? ''),
  )
  return replaced !== undefined && by === 'null' ? null : replaced
}
