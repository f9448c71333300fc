/** Recordings as a gateway leaves them in its data folder. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from '@tidegate/core'
import type { Millis } from '@tidegate/core'
import { createRecorders, recordingFolder } from '@tidegate/gateway'
import type { Head, Recorder, RecordingPolicy, SessionEvent } from '@tidegate/gateway'
import { onTestFinished } from 'vitest'
import { noon } from './things.ts'

export type Recorded = {
  /** The data folder of the gateway. */
  readonly data: string
  readonly session: string
  readonly folder: string
  /** The last one that was anchored. */
  readonly head: () => Head
}

const keepAll: RecordingPolicy = { text: 'keep', parameters: 'keep', rows: 'keep' }

export async function dataFolder(): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'tidegate-recordings-'))
  onTestFinished(async () => rm(data, { recursive: true, force: true }))
  return data
}

type Recording = Recorded & { readonly recorder: Recorder }

export function openRecording(data: string, session: string, policy: RecordingPolicy = keepAll): Recording {
  const dir = join(data, 'recordings')
  const recorders = createRecorders({ dir })
  onTestFinished(recorders.close)
  const names = { grant: 'grt_1', principal: 'user:alice', resource: 'orders-db', role: 'readonly', gateway: 'eu-1' }
  let head: Head | undefined
  const recorder = recorders.open({
    session: { session, started: noon, ...names },
    policy,
    anchor: (latest) => (head = latest),
  })
  const last = (): Head => {
    if (head === undefined) throw new Error('nothing has been anchored yet')
    return head
  }
  return { data, session, folder: recordingFolder(dir, session, noon), head: last, recorder }
}

/** Two statements: one that was answered, and one that was refused. */
export const events: readonly SessionEvent[] = [
  {
    type: 'statement',
    at: noon,
    statement: 1,
    protocol: 'extended',
    text: 'select * from orders where id = $1 and note = $2',
    parameters: ['4711', null],
  },
  {
    type: 'result',
    at: after(noon, 4 as Millis),
    statement: 1,
    durationMs: 3.25,
    rows: 1,
    bytes: 64,
    tag: 'SELECT 1',
  },
  { type: 'statement', at: noon, statement: 2, protocol: 'simple', text: 'drop table orders\u009b31m' },
  { type: 'refused', at: noon, statement: 2, rule: 'read-only', message: 'DROP changes something' },
]

export async function record(data: string, session: string, policy?: RecordingPolicy): Promise<Recorded> {
  const recording = openRecording(data, session, policy)
  for (const event of events) recording.recorder.record(event)
  await recording.recorder.end()
  return recording
}
