/** From a path to the recordings that are meant by it. */

import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Failure } from '../failure.ts'
import { isMissing } from '../private-file.ts'
import { text } from '../values.ts'

export type Found = { readonly session: string; readonly folder: string }

export type Where = {
  /** A recording's folder, a file in it, or a folder that recordings are under. */
  readonly path: string
  /** Absent: all of them. */
  readonly session: string | undefined
}

export const pathArgument = {
  value: text('PATH'),
  about: 'The data folder of a gateway, the folder of one recording, or a file in that.',
} as const

export const sessionOption = { value: text('SESSION'), about: 'Only of this session.' } as const

/** The oldest day first. @throws {Failure} where there is none */
export async function* findRecordings({ path, session }: Where): AsyncGenerator<Found> {
  let found = 0
  for await (const recording of recordingsAt(await folderOf(path))) {
    if (session !== undefined && recording.session !== session) continue
    found += 1
    yield recording
  }
  if (found > 0) return
  const which = session === undefined ? 'no recording' : `no recording of ${session}`
  throw new Failure('not-found', `There is ${which} in ${path}.`, {
    remedy: 'Name the data folder of the gateway that the session went through, on its machine.',
  })
}

async function folderOf(path: string): Promise<string> {
  try {
    const whole = resolve(path)
    return (await stat(whole)).isDirectory() ? whole : dirname(whole)
  } catch (error) {
    if (isMissing(error)) throw new Failure('not-found', `There is no ${path}.`, { cause: error })
    throw error
  }
}

async function* recordingsAt(folder: string): AsyncGenerator<Found> {
  // Every other command does without the gateway's code, and does not wait for it to load.
  const { listRecordings } = await import('@tidegate/gateway')
  const names = await readdir(folder)
  if (names.some((name) => ofRecording.test(name))) {
    yield { session: basename(folder), folder }
    return
  }
  yield* listRecordings(folder)
  // As a gateway has them under its data folder.
  if (names.includes(recordings)) yield* listRecordings(join(folder, recordings))
}

const recordings = 'recordings'
const ofRecording = /^(\d{6}\.tgrec|deleted-all\.json)$/
