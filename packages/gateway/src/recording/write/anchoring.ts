/** Which head is on disk, which one is anchored, and when the next one is due. */

import { emptyHead, sameHead } from '../format/head.ts'
import type { Head } from '../format/head.ts'

export type Anchoring = {
  /** This is on disk now. */
  readonly moved: (head: Head) => void
  /** Whether the delay is over. Until then a later head takes the place of an earlier one. */
  readonly isDue: () => boolean
  /** Anchors what is on disk, if that is new. */
  readonly put: () => void
  /** This is on disk, and all: it is anchored, even if it is nothing. */
  readonly end: (head: Head) => void
  readonly head: () => Head
}

type AnchoringDeps = {
  readonly session: string
  readonly anchor: (head: Head) => void
  /** Calls it after the delay. */
  readonly later: (due: () => void) => void
  readonly due: () => void
}

export function createAnchoring({ session, anchor, later, due }: AnchoringDeps): Anchoring {
  let onDisk = emptyHead(session)
  let anchored = onDisk
  let isWaiting = false
  let isDue = false

  const put = (): void => {
    isDue = false
    anchored = onDisk
    anchor(onDisk)
  }
  return {
    moved(head) {
      onDisk = head
      if (isWaiting || isDue || sameHead(onDisk, anchored)) return
      isWaiting = true
      later(() => {
        isWaiting = false
        isDue = true
        due()
      })
    },
    isDue: () => isDue,
    put() {
      isDue = false
      if (!sameHead(onDisk, anchored)) put()
    },
    end(head) {
      onDisk = head
      put()
    },
    head: () => onDisk,
  }
}
