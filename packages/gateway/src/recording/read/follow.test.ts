import { expect, test } from 'vitest'
import { scratchFolder } from '../../../../../tests/support/folders.ts'
import { recordingFolder } from '../format/place.ts'
import { recorderLimits } from '../limits.ts'
import { manualClock } from '../testing/manual-clock.ts'
import { keepAll, sampleEvents, sampleSession, sampleStart, unnumbered } from '../testing/sample.ts'
import { createRecorders } from '../write/recorder.ts'
import type { RecordedEvent } from '../write/watch.ts'
import type { TooLong } from './events.ts'
import { followRecording, isRecordingError, readHeader } from './read-recording.ts'

test('whoever follows a recording sees what is there and what comes, over segments, until the session ends', async () => {
  const dir = scratchFolder()
  const clock = manualClock()
  const limits = { ...recorderLimits, segmentBytes: 100, anchorMs: 0 }
  const recorders = createRecorders({ dir, clock, limits })
  const recorder = recorders.open({ session: sampleSession(), policy: keepAll, anchor: () => undefined })
  const events = sampleEvents(20)
  let fed = 0
  // Each time that there is nothing more to read, the session says something else, and in the end that it ends.
  const pause = async (): Promise<void> => {
    if (fed === events.length) return recorder.end()
    const next = events.slice(fed, (fed += 4))
    for (const event of next) recorder.record(event)
    clock.advance(recorderLimits.flushMs)
    while (recorder.head().events < fed) await new Promise((resolve) => setImmediate(resolve))
  }
  const seen: (RecordedEvent | TooLong)[] = []
  for await (const event of followRecording(recordingFolder(dir, 'ses_sample', sampleStart), { pause }))
    seen.push(event)
  expect(unnumbered(seen)).toEqual(events)
  expect(recorder.head().segment).toBe(10)
  await recorders.close()
})

test('whoever follows a recording that does not begin can leave', async () => {
  const leave = new AbortController()
  const seen = []
  const folder = recordingFolder(scratchFolder(), 'ses_sample', sampleStart)
  const pause = async (): Promise<void> => leave.abort()
  for await (const event of followRecording(folder, { signal: leave.signal, pause })) seen.push(event)
  expect(seen).toEqual([])
})

test('the header of a recording that is not there is an error that says so', async () => {
  const error: unknown = await readHeader(scratchFolder()).catch((error: unknown) => error)
  expect(isRecordingError(error) && error.verdict).toMatchObject({ reason: 'missing', detail: 'there is no recording' })
})
