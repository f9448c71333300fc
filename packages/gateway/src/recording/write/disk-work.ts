/** Brings recordings to disk by calls that wait for it: the work of a thread that has nothing else to do. */

import type { Head } from '../format/head.ts'
import { type Share, wholeShare } from '../../share.ts'
import type { RecorderLimits } from '../limits.ts'
import type { AppendFile } from './append-file.ts'
import type { DiskTurn, RecordingPlace } from './disk.ts'
import { createFolders } from './folders.ts'
import { createSessionFile } from './session-file.ts'
import type { SessionFile } from './session-file.ts'
import { createJournals } from './journals.ts'
import { writingFault } from './writing-fault.ts'

export type DiskLimits = Pick<RecorderLimits, 'segmentBytes' | 'compressFromBytes' | 'journalBytes' | 'journalMs'>
export type DiskSettings = {
  /** Of all recordings. */
  readonly dir: string
  readonly limits: DiskLimits
  /** Of journals. Absent: all are ours. */
  readonly share?: Share
}

export type Order = {
  /** A number for each that was opened. */
  readonly recording: number
  /** With the first order. */
  readonly place?: RecordingPlace
  /** Absent: it is abandoned. */
  readonly turn?: DiskTurn
}

/** Why it failed is in words. After that the recording takes no order any more. */
export type Outcome = { readonly head: Head } | { readonly fault: string } | undefined

export type DiskWork = {
  /** @returns an outcome for each order, in their order */
  readonly obey: (orders: readonly Order[]) => readonly Outcome[]
  /** What is on disk in a journal is brought to where it belongs. For about so long. */
  readonly tidy: (forMs: number) => void
}

export function createDiskWork({ dir, limits, share = wholeShare }: DiskSettings): DiskWork {
  const files = new Map<number, SessionFile>()
  const folders = createFolders(dir)
  const journals = createJournals({ dir, folders, limits, share })

  const fileFor = ({ recording, place }: Order): SessionFile => {
    if (place !== undefined) files.set(recording, createSessionFile({ ...place, folders, limits }))
    const file = files.get(recording)
    if (file === undefined) throw new Error('it has been closed')
    return file
  }
  const leave = (recording: number): undefined => {
    files.get(recording)?.abandon()
    files.delete(recording)
  }
  const attempt = (order: Order, act: (file: SessionFile, turn: DiskTurn) => void): Outcome => {
    if (order.turn === undefined) return leave(order.recording)
    try {
      const file = fileFor(order)
      act(file, order.turn)
      return { head: file.head() }
    } catch (error) {
      leave(order.recording)
      return { fault: writingFault(error) }
    }
  }
  const isOver = (outcome: Outcome): boolean => outcome === undefined || 'fault' in outcome

  const filesOf = ({ recording, turn }: Order): readonly AppendFile[] =>
    turn?.syncs === true && turn.ends === undefined ? (files.get(recording)?.files() ?? []) : []

  /** Two at least: to write it twice and sync once is no gain for one. What ends is synced where it is, and stays. */
  const journal = (orders: readonly Order[]): void => {
    const some = orders.flatMap(filesOf).filter((file) => file.forJournal() !== undefined)
    if (some.length > 1) journals.take(some)
  }

  return {
    obey(orders) {
      const written = orders.map((order) => attempt(order, put))
      // All is written before any is synced: file systems bring to disk together what was changed together.
      journal(orders)
      const outcomes = written.map((outcome, i) => {
        const { recording, turn } = orders[i] as Order
        if (isOver(outcome) || turn === undefined) return outcome
        const synced = attempt({ recording, turn }, settle)
        if (turn.ends !== undefined) files.delete(recording)
        return synced
      })
      // Where nothing goes on, nothing of a recording stays but the recording.
      if (files.size === 0) journals.finish()
      return outcomes
    },
    tidy: journals.tidy,
  }
}

function put(file: SessionFile, { blocks, inspects, ends }: DiskTurn): void {
  for (const block of blocks) file.append(block)
  if (inspects) file.inspect()
  if (ends !== undefined) file.end(ends)
}

function settle(file: SessionFile, { syncs, ends }: DiskTurn): void {
  if (ends !== undefined) file.sync()
  else if (syncs) file.secure()
  if (ends !== undefined) file.close()
}
