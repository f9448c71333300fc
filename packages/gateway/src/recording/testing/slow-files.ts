/** A file system whose every write waits until it is let go. For tests only. */

import type { RecordingFiles } from '../write/files.ts'
import { nodeFiles } from '../write/files.ts'

export type SlowFiles = RecordingFiles & {
  /** How many writes wait. */
  readonly waiting: () => number
  /** From now on nothing waits. */
  readonly letGo: () => void
  readonly fail: (error: Error) => void
}

export function slowFiles(): SlowFiles {
  const waiting = new Set<{ readonly resolve: () => void; readonly reject: (error: Error) => void }>()
  let isFree = false
  let fault: Error | undefined
  const turn = async (): Promise<void> => {
    if (fault !== undefined) throw fault
    if (isFree) return
    await new Promise<void>((resolve, reject) => waiting.add({ resolve, reject }))
  }
  return {
    async create(path) {
      await turn()
      const file = await nodeFiles.create(path)
      const append = async (bytes: Buffer): Promise<void> => {
        await turn()
        await file.append(bytes)
      }
      return { ...file, append }
    },
    waiting: () => waiting.size,
    letGo() {
      isFree = true
      for (const { resolve } of waiting) resolve()
      waiting.clear()
    },
    fail(error) {
      fault = error
      for (const { reject } of waiting) reject(error)
      waiting.clear()
    },
  }
}
