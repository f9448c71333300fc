/** Where a recording is: `DIR/<year>/<month>/<day>/<session>/`, by the day in UTC that the session started. */

import { join } from 'node:path'
import { formatInstant } from '@tidegate/core'
import type { Instant } from '@tidegate/core'

/** What a session's id may be, since it names a folder: `ses_01m80b3sgk5x0vdvvh3xjxbbq1` is one, `..` is not. */
const sessionId = /^[a-z0-9][a-z0-9_-]{0,63}$/

export const isSessionId = (text: string): boolean => sessionId.test(text)

/** Throws a `RangeError` for an id that could lead elsewhere. */
export function recordingFolder(dir: string, session: string, started: Instant): string {
  if (!isSessionId(session)) throw new RangeError('a session id is 1 to 64 lower-case letters, digits, _ and -')
  const [year = '', month = '', day = ''] = formatInstant(started).slice(0, 'yyyy-mm-dd'.length).split('-')
  return join(dir, year, month, day, session)
}

const segment = /^(\d{6})\.tgrec$/

export const segmentName = (number: number): string => `${numbered(number)}.tgrec`

/** Its number; `undefined` for what is not the name of a segment. */
export const segmentNumber = (name: string): number | undefined => {
  const digits = segment.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Of the salts of the commitments in a segment. */
export const saltsName = (number: number): string => `${numbered(number)}.salts`
export const isSaltsName = (name: string): boolean => /^\d{6}\.salts$/.test(name)

export const saltBytes = 16

/** What can be deleted of a recording, and the name of what says so then. */
export const tombstoneName = { salts: 'deleted-salts.json', all: 'deleted-all.json' } as const
export type Forgotten = keyof typeof tombstoneName

const numbered = (number: number): string => String(number).padStart(6, '0')
