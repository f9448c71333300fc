/** What is in a folder that need not be there. */

import { readdir } from 'node:fs/promises'
import { isMissing } from './segment.ts'

/** None where there is no such folder. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
