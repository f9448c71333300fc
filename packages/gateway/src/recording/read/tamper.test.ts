import { cpSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scratchFolder } from '../../../../../tests/support/folders.ts'
import { frameRecord, segmentMagic } from '../format/frame.ts'
import type { RecordKind } from '../format/frame.ts'
import { emptyHead, firstChain } from '../format/head.ts'
import { encodeHeader } from '../format/header.ts'
import { keepAll, readAll, sampleEvents, sampleSession, writeRecording } from '../testing/sample.ts'
import type { Written } from '../testing/sample.ts'
import { isRecordingError } from './read-recording.ts'
import type { RecordingVerdict } from './verify.ts'
import { verifyRecording } from './verify.ts'

const small = (dir: string, session = 'ses_sample'): Promise<Written> =>
  writeRecording(dir, sampleEvents(6), { session, anchorEvery: 4, limits: { compressFromBytes: 200 } })

const segment = (folder: string, number = 1): string => join(folder, `00000${number}.tgrec`)
const reasonOf = (verdict: RecordingVerdict): string => (verdict.ok ? verdict.state : verdict.reason)

/** Where each record of a segment begins, and where the last one ends. */
function cuts(bytes: Buffer): number[] {
  const places = [segmentMagic.length]
  for (let at = segmentMagic.length; at < bytes.length;) {
    at += 5 + bytes.readUInt32BE(at) + 32
    places.push(at)
  }
  return places
}

describe('against its last anchored head', () => {
  test('a recording with any bit flipped anywhere does not hold', async () => {
    const { folder, heads } = await small(scratchFolder())
    const whole = readFileSync(segment(folder))
    const held = []
    for (let at = 0; at < whole.length; at++) {
      const harmed = Buffer.from(whole)
      harmed[at]! ^= 1 << (at % 8)
      writeFileSync(segment(folder), harmed)
      const verdict = await verifyRecording(folder, { head: heads.at(-1)! })
      if (verdict.ok) held.push(at)
    }
    expect(held).toEqual([])
  })

  test('a recording cut at any byte is truncated, and says how much is missing', async () => {
    const { folder, heads } = await small(scratchFolder())
    const whole = readFileSync(segment(folder))
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(segment(folder), whole.subarray(0, length))
      expect(reasonOf(await verifyRecording(folder, { head: heads.at(-1)! })), `${length}`).toBe('truncated')
    }
    writeFileSync(segment(folder), whole.subarray(0, cuts(whole).at(-2)))
    expect(await verifyRecording(folder, { head: heads.at(-1)! })).toMatchObject({
      detail: expect.stringMatching(/^it was cut: 0 of 12 events and \d+ bytes are missing, by the anchored head$/),
    })
  })

  test('a recording that another one was put in place of, whole or from some block on, does not hold', async () => {
    const dir = scratchFolder()
    const { folder, heads } = await small(dir)
    const other = await small(dir, 'ses_other')
    const [own, foreign] = [readFileSync(segment(folder)), readFileSync(segment(other.folder))]
    const reasons = []
    for (const [i, at] of cuts(own).entries()) {
      writeFileSync(segment(folder), Buffer.concat([own.subarray(0, at), foreign.subarray(cuts(foreign)[i])]))
      reasons.push(reasonOf(await verifyRecording(folder, { head: heads.at(-1)! })))
    }
    expect(reasons).toEqual(['rewritten', 'tampered', 'tampered', 'tampered', 'tampered', 'ended'])
  })

  test('a recording that was written anew, with chain and all, is another one', async () => {
    const dir = scratchFolder()
    const { folder, heads } = await small(dir)
    rmSync(folder, { recursive: true })
    const events = sampleEvents(6)
    events[4] = { ...events[4]!, text: 'select 1' } as never
    await writeRecording(dir, events, { anchorEvery: 4, limits: { compressFromBytes: 200 } })
    const verdict = await verifyRecording(folder, { head: heads.at(-1)! })
    expect(verdict).toMatchObject({ ok: false, reason: 'rewritten' })
    expect(await verifyRecording(folder)).toMatchObject({ ok: true, state: 'ended' })
  })

  test('a recording that is not there is missing, and one that never was is empty', async () => {
    const { folder, heads } = await small(scratchFolder())
    rmSync(segment(folder))
    expect(reasonOf(await verifyRecording(folder, { head: heads.at(-1)! }))).toBe('missing')
    expect(reasonOf(await verifyRecording(folder))).toBe('missing')
    expect(reasonOf(await verifyRecording(folder, { head: emptyHead('ses_sample') }))).toBe('empty')
  })

  test('an earlier one, a recording holds, and says how much of it that proves', async () => {
    const { folder, heads } = await small(scratchFolder())
    expect(heads.map(({ events }) => events)).toEqual([4, 8, 12, 12])
    for (const head of heads) {
      expect(await verifyRecording(folder, { head })).toMatchObject({ ok: true, anchoredEvents: head.events })
    }
    const { detail } = await verifyRecording(folder, { head: heads[1]! })
    expect(detail).toBe(
      '12 events in 3 blocks, to the end of the session. Anchored are the first 8, and 4 events follow them',
    )
  })
})

describe('by itself', () => {
  test('a recording with two blocks swapped, one left out or one twice does not hold, from that block on', async () => {
    const { folder } = await small(scratchFolder())
    const whole = readFileSync(segment(folder))
    const at = cuts(whole)
    const records = at.slice(1).map((end, i) => whole.subarray(at[i], end))
    const [header, one, two, three, end] = records as [Buffer, Buffer, Buffer, Buffer, Buffer]
    for (const [order, events] of [
      [[header, two, one, three, end], 0],
      [[header, one, three, two, end], 4],
      [[header, one, three, end], 4],
      [[header, one, one, two, three, end], 4],
      [[header, one, two, three, end, end], 12],
      [[header, one, end, two, three], 4],
      [[one, two, three, end], 0],
    ] as const) {
      writeFileSync(segment(folder), Buffer.concat([segmentMagic, ...order]))
      const verdict = await verifyRecording(folder)
      expect(verdict).toMatchObject({ ok: false, reason: 'tampered', head: { events } })
    }
  })

  test('a recording that breaks off within a record is torn, which is how a crash leaves it, and between two unfinished', async () => {
    const { folder } = await small(scratchFolder())
    const whole = readFileSync(segment(folder))
    const between = cuts(whole)
    for (let length = 9; length < whole.length; length++) {
      writeFileSync(segment(folder), whole.subarray(0, length))
      const verdict = await verifyRecording(folder)
      expect(reasonOf(verdict), `${length}`).toBe(between.includes(length) ? 'unfinished' : 'torn')
      expect(verdict.head.events).toBe(4 * Math.max(0, between.filter((at) => at <= length).length - 2))
    }
    expect((await verifyRecording(folder)).detail).toMatch(
      /^12 events in 3 blocks; the last \d+ bytes are a record that was not written whole, as a crash leaves it\. Without/,
    )
  })

  test('zeroes from any byte to the end are what a power failure leaves, and anything after them is not', async () => {
    const { folder } = await small(scratchFolder())
    const whole = readFileSync(segment(folder))
    const ends = cuts(whole).slice(1)
    for (let at = 0; at < whole.length; at++) {
      const begin = whole.subarray(0, at)
      for (const zeroes of [whole.length - at, 100_000]) {
        writeFileSync(segment(folder), Buffer.concat([begin, Buffer.alloc(zeroes)]))
        // What happens to end in a zero is whole before its last byte is there.
        const has = ends.filter((end) => whole.subarray(at, end).every((byte) => byte === 0)).length
        const state = has === ends.length && zeroes === whole.length - at ? 'ended' : 'torn'
        expect(reasonOf(await verifyRecording(folder)), `${at}`).toBe(state)
      }
      writeFileSync(segment(folder), Buffer.concat([begin, Buffer.alloc(whole.length), Buffer.from('x')]))
      expect(reasonOf(await verifyRecording(folder)), `${at}`).toBe('tampered')
    }
  })

  test('segments that are missing, cut, swapped or of another session are found', async () => {
    const dir = scratchFolder()
    const options = { anchorEvery: 4, limits: { segmentBytes: 100 } }
    const { folder } = await writeRecording(dir, sampleEvents(6), options)
    const other = await writeRecording(dir, sampleEvents(6), { ...options, session: 'ses_other' })
    expect(readdirSync(folder)).toHaveLength(3)
    const kept = scratchFolder()
    cpSync(folder, kept, { recursive: true })
    const after = async (harm: () => void): Promise<string> => {
      cpSync(kept, folder, { recursive: true })
      harm()
      return reasonOf(await verifyRecording(folder))
    }
    expect(await after(() => undefined)).toBe('ended')
    expect(await after(() => rmSync(segment(folder, 1)))).toBe('missing')
    expect(await after(() => rmSync(segment(folder, 2)))).toBe('missing')
    expect(await after(() => rmSync(segment(folder, 3)))).toBe('unfinished')
    expect(await after(() => cpSync(segment(other.folder, 2), segment(folder, 2)))).toBe('tampered')
    expect(await after(() => cpSync(segment(folder, 3), segment(folder, 2)))).toBe('tampered')
    expect(await after(() => cpSync(segment(folder, 3), segment(folder, 4)))).toBe('tampered')
    const one = readFileSync(segment(folder, 1))
    expect(await after(() => writeFileSync(segment(folder, 1), one.subarray(0, cuts(one).at(-2))))).toBe('tampered')
    expect(await after(() => writeFileSync(segment(folder, 1), one.subarray(0, -3)))).toBe('tampered')
  })

  test('what is read of a recording that was tampered with is what holds, and then an error', async () => {
    const { folder } = await small(scratchFolder())
    const whole = readFileSync(segment(folder))
    whole[cuts(whole)[2]! + 40]! ^= 1
    writeFileSync(segment(folder), whole)
    const seen: unknown[] = []
    const { readRecording } = await import('./read-recording.ts')
    const reading = (async () => {
      for await (const event of readRecording(folder)) seen.push(event)
    })()
    const error: unknown = await reading.catch((error: unknown) => error)
    expect(isRecordingError(error) && error.verdict).toMatchObject({ reason: 'tampered', head: { events: 4 } })
    expect(error).toMatchObject({
      message: expect.stringMatching(
        /^The recording does not hold: after 1 block \(\d+ bytes\): a record does not follow/,
      ),
    })
    expect(seen).toHaveLength(4)
  })
})

describe('a hostile recording', () => {
  const records = (...parts: readonly (readonly [RecordKind, Buffer])[]): Buffer => {
    let chain = firstChain()
    const framed = parts.map(([kind, payload]) => {
      const record = frameRecord(kind, payload, chain)
      ;({ chain } = record)
      return record.bytes
    })
    return Buffer.concat([segmentMagic, ...framed])
  }
  const header = ['header', encodeHeader({ ...sampleSession(), policy: keepAll, segment: 1 })] as const
  const verdictOf = async (bytes: Buffer): Promise<RecordingVerdict> => {
    const folder = scratchFolder()
    writeFileSync(segment(folder), bytes)
    return verifyRecording(folder)
  }

  test.each<[string, Buffer, RegExp]>([
    ['a bomb', records(header, ['deflated', deflateRawSync(Buffer.alloc(500_000_000))]), /more in it than a block has/],
    ['no deflate', records(header, ['deflated', Buffer.from('nonsense')]), /cannot be decompressed/],
    ['nothing', records(header, ['stored', Buffer.alloc(0)]), /breaks off/],
    ['events from elsewhere', records(header, ['stored', Buffer.from([7, 0])]), /the event that is next/],
    ['an endless number', records(header, ['stored', Buffer.alloc(20, 255)]), /too large/],
    [
      'a list longer than itself',
      records(header, ['stored', Buffer.from([1, 0, 7, 1, 0, 1, 0, 1, 0, 127])]),
      /longer than its event/,
    ],
    [
      'a reference into nothing',
      records(header, ['stored', Buffer.from([1, 0, 6, 1, 0, 1, 0, 4, 0])]),
      /not in its block/,
    ],
    ['an unknown event', records(header, ['stored', Buffer.from([1, 0, 3, 99, 0, 1])]), /no known type/],
    ['another header', records(header, header), /has two/],
    ['no header', records(['stored', Buffer.alloc(3)]), /does not begin with its header/],
    [
      'another version',
      records(['header', Buffer.from('{"format":"tidegate recording","version":2}')]),
      /of this version/,
    ],
    ['an end that miscounts', records(header, ['end', Buffer.from('{"blocks":1,"events":0}')]), /counts other blocks/],
  ])('with %s is refused', async (_what, bytes, words) => {
    const verdict = await verdictOf(bytes)
    expect(verdict).toMatchObject({ ok: false, reason: 'tampered', detail: expect.stringMatching(words) })
  })

  test('of a record that says it has gigabytes is refused without reading them', async () => {
    const bytes = Buffer.concat([segmentMagic, Buffer.from([255, 255, 255, 255, 'H'.charCodeAt(0)]), Buffer.alloc(100)])
    expect(reasonOf(await verdictOf(bytes))).toBe('tampered')
  })

  test('that is a link or a folder is not followed', async () => {
    const folder = scratchFolder()
    symlinkSync('/etc/passwd', segment(folder))
    expect(reasonOf(await verifyRecording(folder))).toBe('unreadable')
  })

  test('of any content in a chain that holds is answered with what does not, and nothing is thrown', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 }), async (contents) => {
        const blocks = contents.map((content) => ['stored', Buffer.from([1, 0, ...content])] as const)
        const verdict = await verdictOf(records(header, ...blocks))
        expect(['tampered', 'unfinished']).toContain(reasonOf(verdict))
      }),
      { numRuns: 300 },
    )
  })

  test('of salts that are cut or of something else leaves commitments without them', async () => {
    const dir = scratchFolder()
    const policy = { text: 'commit', parameters: 'commit', rows: 'none' } as const
    const { folder, heads } = await writeRecording(dir, sampleEvents(6), { policy, anchorEvery: 4 })
    const salts = join(folder, '000001.salts')
    const whole = readFileSync(salts)
    for (const harmed of [whole.subarray(0, 3), whole.subarray(0, 40), Buffer.alloc(200, 255), Buffer.alloc(0)]) {
      writeFileSync(salts, harmed)
      expect(await readAll(folder, { salts: true, head: heads.at(-1)! })).toHaveLength(12)
    }
    renameSync(salts, `${salts}.away`)
    expect(await verifyRecording(folder)).toMatchObject({ ok: true, salts: 'missing' })
  })
})
