/**
 * Deletes the recordings that the control plane tells to delete: it has put that into the log before. Told again until
 * it is reported, so that whatever was left half done is finished.
 */

import { type Instant, parseInstant, formatInstant } from '@tidegate/core'
import { forgetRecording } from '../recording/forget.ts'
import { recordingFolder } from '../recording/format/place.ts'
import type { Forgotten, SyncAnswer } from './contract.ts'
import { findFolder } from './folders.ts'
import { controlLimits as limits } from './limits.ts'
import { reportedHead, wordsOf } from './presence.ts'
import type { Reports } from './reports.ts'
import type { Log } from './settings.ts'

type Told = NonNullable<SyncAnswer['forget']>[number]

export type Forgetting = {
  /** All that are to be deleted now. */
  readonly take: (told: readonly Told[]) => void
  /** Resolves when the one under way is done; there is no other after that. */
  readonly stop: () => Promise<void>
}

type ForgettingDeps = {
  /** Of recordings. */
  readonly dir: string
  readonly now: () => Instant
  readonly elapsedMs: () => number
  /** The session goes on, or is still to be told of: its recording is not complete. */
  readonly isInUse: (session: string) => boolean
  readonly reports: Pick<Reports, 'add'>
  readonly log: Log
}

export function createForgetting(deps: ForgettingDeps): Forgetting {
  const { elapsedMs, isInUse, reports, log } = deps
  /** When it may be tried again; never, where it is only to be told. */
  const known = new Map<string, number>()
  let told: readonly Told[] = []
  let stopped = false
  let running: Promise<void> | undefined

  const next = (): Told | undefined =>
    told.find(({ session }) => (known.get(session) ?? -Infinity) <= elapsedMs() && !isInUse(session))
  const forgetOne = async (one: Told): Promise<void> => {
    try {
      reports.add(await forget(deps, one))
      known.set(one.session, Infinity)
    } catch (error) {
      log('recording-not-deleted', { session: one.session, why: String(error) })
      known.set(one.session, elapsedMs() + limits.forgetAgainMs)
    }
  }
  /** One after the other: each is read as a whole before it goes. */
  const run = async (): Promise<void> => {
    for (let one = next(); one !== undefined && !stopped; one = next()) await forgetOne(one)
    running = undefined
  }
  return {
    take(list) {
      told = list
      const there = new Set(list.map(({ session }) => session))
      for (const session of known.keys()) if (!there.has(session)) known.delete(session)
      if (!stopped && next() !== undefined) running ??= run()
    },
    async stop() {
      stopped = true
      await running
    },
  }
}

async function forget({ dir, now }: ForgettingDeps, told: Told): Promise<Forgotten> {
  const { session, startedAt, by, reason, head } = told
  const place = recordingFolder(dir, session, parseInstant(startedAt) ?? (0 as Instant))
  const folder = (await findFolder(dir, session, startedAt)) ?? place
  const { tombstone, digest } = await forgetRecording(folder, {
    what: 'all',
    by,
    reason,
    at: now(),
    ...(head !== undefined && { head: { session, ...head } }),
  })
  return {
    what: 'forgotten',
    session,
    at: formatInstant(now()),
    digest,
    head: reportedHead(tombstone.head),
    verdict: wordsOf(tombstone.verdict, limits.verdictLength),
    files: tombstone.files,
    bytes: tombstone.bytes,
  }
}
