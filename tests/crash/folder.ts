/** Folders of a scenario: gone when it is over, and soon after us if we are killed. */

import { rm } from 'node:fs/promises'
import { lockDataDir } from '../../packages/server/src/embedded/lock.ts'
import { makeScratchFolder } from '../support/folders.ts'
import { whenWeEnd } from './will.ts'

export type Folder = { readonly path: string; readonly remove: () => Promise<void> }

/** PostgreSQL, which stops when we are gone, still writes there for a moment. */
const script = 'for try in 1 2 3 4 5 6 7 8 9 10; do sleep 3; rm -rf "$1"; [ -e "$1" ] || exit; done'

export async function makeFolder(): Promise<Folder> {
  const path = makeScratchFolder('tidegate-test-crash-')
  // Locked, so that where nobody could see to it the next run of the tests removes it, and nothing else.
  await lockDataDir(path)
  const keep = whenWeEnd(script, [path])
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 5 })
      keep()
    },
  }
}
