/** Where the recording of a session is, by what the control plane knows of it. */

import { stat } from 'node:fs/promises'
import { type Instant, parseInstant } from '@tidegate/core'
import { recordingFolder } from '../recording/format/place.ts'

const dayMs = 86_400_000

/**
 * The day is the one that this gateway told, or one beside it: the control plane puts right what cannot be, such as a
 * start that is later than its report. `undefined`: it is not there. @throws `RangeError` for an id that names no folder
 */
export async function findFolder(dir: string, session: string, startedAt: string): Promise<string | undefined> {
  const at = parseInstant(startedAt) ?? (0 as Instant)
  for (const day of [at, at + dayMs, at - dayMs]) {
    const folder = recordingFolder(dir, session, day as Instant)
    if (await isFolder(folder)) return folder
  }
  return undefined
}

const isFolder = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}
