/** What recorders ask of a disk: to write what one turn of one session has, and to say what is there then. */

import type { Instant } from '@tidegate/core'
import type { Head } from '../format/head.ts'
import type { RecordingHeader } from '../format/header.ts'
import type { Block } from './block-builder.ts'

export type Disk = {
  /** Nothing is made before there is something to write. */
  readonly open: (place: RecordingPlace) => DiskFile
  /** For good. Whoever is written to has ended before. */
  readonly close: () => void
}

export type RecordingPlace = { readonly folder: string; readonly header: Omit<RecordingHeader, 'segment'> }

export type DiskFile = {
  /** One turn after the other. @returns the head after it. @throws Error that says why in words, once and for all */
  readonly write: (turn: DiskTurn) => Promise<Head>
  /** Leaves what is there as it is. */
  readonly abandon: () => void
}

/** Done in this order. */
export type DiskTurn = {
  readonly blocks: readonly Block[]
  /** It fails where the file is not what was written. */
  readonly inspects: boolean
  /** It resolves when what was written survives a power failure. */
  readonly syncs: boolean
  /** The session ended then: the file says so, is synced, and is closed. */
  readonly ends?: Instant
}
