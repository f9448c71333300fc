/**
 * What was verified of a log before, one file for each address: its key and its last checkpoint. A log that is later
 * cut, rewritten or signed by someone else does not go with them, and is refused.
 */

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import type { Context } from '../context.ts'
import { Failure } from '../failure.ts'
import { readPrivateFile, writePrivateFile } from '../private-file.ts'
import { statePath } from '../settings.ts'

type Places = Pick<Context, 'env' | 'home'>

const shape = z.strictObject({
  /** The log's address, ending in a slash. */
  url: z.string(),
  /** The verifier key. */
  key: z.string(),
  /** Those that led to it, the first one that was trusted first. Absent: the log has not changed its key since. */
  earlierKeys: z.array(z.string()).optional(),
  /** The signed note of the largest tree that was verified. */
  checkpoint: z.string(),
})

export type Remembered = Readonly<z.output<typeof shape>>

/** Kept by address and not by the log's own name for itself: a log that is replaced could call itself anything. */
export const rememberedPath = (places: Places, url: string): string =>
  join(statePath(places), 'log', `${createHash('sha256').update(url).digest('hex').slice(0, 32)}.json`)

/** @throws {Failure} where there is something that cannot be read: forgetting must be someone's decision */
export async function readRemembered(places: Places, url: string): Promise<Remembered | undefined> {
  const path = rememberedPath(places, url)
  const text = await readPrivateFile(path)
  if (text === undefined) return undefined
  const parsed = shape.safeParse(parse(text))
  if (parsed.success && parsed.data.url === url) return parsed.data
  throw new Failure('failure', `${path} does not say what was verified of ${url}.`, {
    remedy: 'It was changed by something else. Find out by what; remove it to trust the log anew.',
  })
}

export const remember = async (places: Places, remembered: Remembered): Promise<void> =>
  writePrivateFile(rememberedPath(places, remembered.url), `${JSON.stringify(remembered, undefined, 2)}\n`)

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
