import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scratchFolder } from '../../../../../tests/support/folders.ts'
import { sampleEvents, writeRecording } from '../testing/sample.ts'
import type { ArrivingItem, ArrivingPiece } from './arriving.ts'
import { readArriving } from './arriving.ts'
import { readRaw } from './raw.ts'

async function arrived(pieces: readonly ArrivingPiece[], options = {}): Promise<ArrivingItem[]> {
  const rest = [...pieces]
  const items: ArrivingItem[] = []
  for await (const item of readArriving(async () => rest.shift(), options)) items.push(item)
  return items
}

const bytesOf = (segment: number, bytes: Buffer): ArrivingPiece => ({ what: 'bytes', segment, bytes })

test('a recording is read the same however it was cut into pieces', async () => {
  const { folder, heads } = await writeRecording(scratchFolder(), sampleEvents(4))
  const head = heads.at(-1)!
  const whole = readFileSync(join(folder, '000001.tgrec'))
  const torn = Buffer.concat([whole.subarray(0, -40), Buffer.alloc(100)])
  const cuts = fc.uniqueArray(fc.nat(whole.length + 100), { maxLength: 12 })
  for (const [bytes, verdict] of [
    [whole, { ok: true, state: 'ended', anchoredEvents: 8 }],
    [torn, { ok: false, reason: 'truncated' }],
    [Buffer.concat([torn, whole.subarray(-40)]), { ok: false, reason: 'tampered' }],
  ] as const) {
    const expected = await arrived([bytesOf(1, bytes)], { head })
    expect(expected.at(-1)).toMatchObject({ verdict })
    await fc.assert(
      fc.asyncProperty(cuts, async (at) => {
        const borders = [0, ...at.toSorted((a, b) => a - b), bytes.length]
        const pieces = borders.slice(1).map((end, n) => bytesOf(1, bytes.subarray(borders[n], end)))
        expect(await arrived(pieces, { head })).toEqual(expected)
      }),
      { numRuns: 100 },
    )
  }
})

test('what a gateway reads of a recording, in pieces of any length, is what arrives whole, over all segments', async () => {
  const { folder, heads } = await writeRecording(scratchFolder(), sampleEvents(12), {
    limits: { segmentBytes: 600 },
    anchorEvery: 4,
  })
  const head = heads.at(-1)!
  expect(head.segment).toBeGreaterThan(2)
  for (const pieceBytes of [7, 64, 1_000, 1_000_000]) {
    const pieces = []
    for await (const { segment, bytes } of readRaw(folder, { pieceBytes, wait: async () => false }))
      pieces.push(bytesOf(segment, bytes))
    const items = await arrived(pieces, { head })
    expect(items.at(-1)).toMatchObject({ verdict: { ok: true, state: 'ended', anchoredEvents: head.events } })
  }
})

test('what keeps the rest from coming is thrown, and is no word on the recording', async () => {
  const reading = readArriving(() => Promise.reject(new Error('the line is cut')))
  await expect(reading.next()).rejects.toThrow('the line is cut')
})
