/** Brings recordings to disk by calls that wait for it: the work of a thread that has nothing else to do. */

import type { Head } from '../format/head.ts'
import type { RecorderLimits } from '../limits.ts'
import type { DiskTurn, RecordingPlace } from './disk.ts'
import { createFolders } from './folders.ts'
import { createSessionFile } from './session-file.ts'
import type { SessionFile } from './session-file.ts'
import { writingFault } from './writing-fault.ts'

export type DiskLimits = Pick<RecorderLimits, 'segmentBytes' | 'compressFromBytes'>

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

/** @returns an outcome for each order, in their order */
export type DiskWork = (orders: readonly Order[]) => readonly Outcome[]

export function createDiskWork(limits: DiskLimits): DiskWork {
  const files = new Map<number, SessionFile>()
  const folders = createFolders()

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

  return (orders) => {
    const written = orders.map((order) => attempt(order, put))
    // All is written before any is synced: file systems bring to disk together what was changed together.
    return written.map((outcome, i) => {
      const { recording, turn } = orders[i] as Order
      if (isOver(outcome) || turn === undefined) return outcome
      const synced = attempt({ recording, turn }, settle)
      if (turn.ends !== undefined) files.delete(recording)
      return synced
    })
  }
}

function put(file: SessionFile, { blocks, inspects, ends }: DiskTurn): void {
  for (const block of blocks) file.append(block)
  if (inspects) file.inspect()
  if (ends !== undefined) file.end(ends)
}

function settle(file: SessionFile, { syncs, ends }: DiskTurn): void {
  if (syncs || ends !== undefined) file.sync()
  if (ends !== undefined) file.close()
}
