import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { opens } from '@tidegate/audit'
import { instant } from '@tidegate/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scratchFolder } from '../../../../tests/support/folders.ts'
import type { SessionEvent } from './event.ts'
import { committedForm } from './policy.ts'
import type { Committed, RecordingPolicy } from './policy.ts'
import { verifyRecording } from './read/verify.ts'
import {
  anyEvent,
  commitAll,
  filesIn,
  keepAll,
  readAll,
  sampleEvents,
  sampleStart,
  unnumbered,
  writeRecording,
} from './testing/sample.ts'

/** What is recorded of text that no UTF-8 has. */
const wellFormed = <T>(value: T): T =>
  (typeof value === 'string'
    ? Buffer.from(value).toString()
    : Array.isArray(value)
      ? value.map(wellFormed)
      : typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, wellFormed(inner)]))
        : value) as T

const anyLimits = fc.record({
  batchEvents: fc.integer({ min: 1, max: 9 }),
  batchBytes: fc.oneof(fc.integer({ min: 16, max: 3_000 }), fc.constant(32_768)),
  blockBytes: fc.integer({ min: 16, max: 2_000 }),
  segmentBytes: fc.integer({ min: 1, max: 5_000 }),
  compressFromBytes: fc.integer({ min: 0, max: 300 }),
  turnBytes: fc.integer({ min: 1, max: 3_000 }),
})

describe('a recording', () => {
  test('has the events that went in, however they were cut into batches, blocks, turns and segments', async () => {
    const dir = scratchFolder()
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(anyEvent, { maxLength: 40 }), anyLimits, async (events, limits) => {
        const rows = { perStatementBytes: Infinity, perSessionBytes: Infinity }
        const written = await writeRecording(dir, events, { session: `ses_${run++}`, limits: { ...limits, rows } })
        const head = written.heads.at(-1)!
        expect(head.events).toBe(events.length)
        expect(await verifyRecording(written.folder, { head })).toMatchObject({
          ok: true,
          state: events.length === 0 ? 'empty' : 'ended',
          anchoredEvents: events.length,
        })
        if (events.length === 0) return
        const read = await readAll(written.folder, { head })
        expect(unnumbered(read)).toEqual(wellFormed(events))
        expect(read.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1))
      }),
      { numRuns: 150 },
    )
  })

  test('has statements of any length whole, and each of them once where they repeat', async () => {
    const long = 'x'.repeat(3_000_000)
    const text = (i: number): string => (i % 3 === 0 ? `${long}${i}` : 'select 1')
    const events = sampleEvents(9).map((event, i) => (event.type === 'statement' ? { ...event, text: text(i) } : event))
    const { folder, heads } = await writeRecording(scratchFolder(), events)
    expect(unnumbered(await readAll(folder, { head: heads.at(-1)! }))).toEqual(events)
  })

  test('has more different texts in a block than are looked for, and each that comes again, as they were', async () => {
    const texts = Array.from({ length: 200 }, (_, i) => `select ${i}`)
    const said = [...texts, ...texts.toReversed(), ...texts.slice(60, 70), ...texts.slice(60, 70)]
    const events = said.map((text, i): SessionEvent => ({
      type: 'statement',
      at: instant(sampleStart + i),
      statement: i + 1,
      protocol: 'simple',
      text,
    }))
    const { folder, heads } = await writeRecording(scratchFolder(), events)
    expect(unnumbered(await readAll(folder, { head: heads.at(-1)! }))).toEqual(events)
  })

  test('has texts whose bytes are more than their characters, at each length where something changes', async () => {
    const lengths = [
      0, 1, 42, 43, 47, 48, 49, 63, 64, 126, 127, 128, 129, 300, 4_096, 4_097, 5_461, 5_462, 16_383, 16_384,
    ]
    const units = ['a', 'é', '€', '𝟙', '\ud800', '\udc00', '\ufffd', '\0']
    const texts = lengths.flatMap((length) =>
      units.flatMap((unit) => [unit.repeat(length), `${'a'.repeat(length)}${unit}`, `${unit}${'a'.repeat(length)}`]),
    )
    const events = texts.map((text, i): SessionEvent => ({
      type: 'statement',
      at: instant(sampleStart),
      statement: i + 1,
      protocol: 'extended',
      text,
      parameters: [text, null],
    }))
    for (const limits of [{}, { batchBytes: 400 }, { batchEvents: 2, batchBytes: 100_000, blockBytes: 64 }]) {
      const { folder, heads } = await writeRecording(scratchFolder(), events, { limits })
      expect(unnumbered(await readAll(folder, { head: heads.at(-1)! }))).toEqual(wellFormed(events))
    }
  })

  test('passes over an event that is longer than the reader takes, says so, and goes on', async () => {
    const events = sampleEvents(2)
    events[2] = { ...events[2]!, text: 'x'.repeat(1_000_000) } as SessionEvent
    const { folder, heads } = await writeRecording(scratchFolder(), events)
    const read = await readAll(folder, { head: heads.at(-1)!, eventBytes: 10_000 })
    expect(read.map(({ type }) => type)).toEqual(['statement', 'result', 'too-long', 'result'])
    expect(read[2]).toMatchObject({ sequence: 3 })
    expect(unnumbered(read)[3]).toEqual(events[3])
  })

  test('takes numbers that are none for zero', async () => {
    const odd = { durationMs: Number.NaN, rows: -1, bytes: Infinity }
    const { folder } = await writeRecording(scratchFolder(), [
      { type: 'result', at: instant(5), statement: 1, ...odd },
      { type: 'cancel', at: instant(6), statement: 1 },
    ])
    expect(unnumbered(await readAll(folder))).toEqual([
      { type: 'result', at: 5, statement: 1, durationMs: 0, rows: 0, bytes: Number.MAX_SAFE_INTEGER },
      { type: 'cancel', at: 6, statement: 1 },
    ])
  })

  test('is in files that only its owner reads, in folders that only its owner enters', async () => {
    const dir = scratchFolder()
    const { folder } = await writeRecording(dir, sampleEvents(3), { policy: commitAll })
    expect(folder).toBe(join(dir, '2026', '03', '01', 'ses_sample'))
    expect(readdirSync(folder).toSorted()).toEqual(['000001.salts', '000001.tgrec'])
    expect(filesIn(folder).map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600])
    const folders = [folder, join(dir, '2026', '03', '01'), join(dir, '2026', '03'), join(dir, '2026')]
    expect(folders.map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o700, 0o700, 0o700])
  })
})

describe('what a policy hides', () => {
  const secret = 'Ada-Lovelace-1815'
  const events: SessionEvent[] = [
    { type: 'statement', at: instant(1), statement: 1, protocol: 'simple', text: `select '${secret}'` },
    {
      type: 'statement',
      at: instant(2),
      statement: 2,
      protocol: 'extended',
      text: 'select $1',
      parameters: [secret, Buffer.from(secret), null],
    },
    {
      type: 'result',
      at: instant(3),
      statement: 2,
      durationMs: 1,
      rows: 0,
      bytes: 0,
      error: { sqlstate: '22P02', message: `invalid input syntax for type integer: "${secret}"` },
    },
    { type: 'refused', at: instant(4), statement: 3, rule: 'no-deletes', message: `not ${secret}` },
    { type: 'rows', at: instant(5), statement: 4, columns: [secret], rows: [[secret, null], [Buffer.from(secret)]] },
  ]

  /** All bytes of all files, and all blocks decompressed. */
  const everything = (folder: string): string =>
    filesIn(folder)
      .map((file) => {
        const bytes = readFileSync(file)
        const blocks: Buffer[] = []
        for (let at = 8; file.endsWith('.tgrec') && at < bytes.length; at += 5 + bytes.readUInt32BE(at) + 32) {
          const payload = bytes.subarray(at + 5, at + 5 + bytes.readUInt32BE(at))
          if (bytes[at + 4] === 'D'.charCodeAt(0)) blocks.push(inflateRawSync(payload))
        }
        return Buffer.concat([bytes, ...blocks]).toString('latin1')
      })
      .join()

  test('is nowhere in the files', async () => {
    const hidden = await writeRecording(scratchFolder(), events, {
      policy: commitAll,
      limits: { compressFromBytes: 0 },
    })
    expect(everything(hidden.folder)).not.toContain('Ada')
    expect(everything(hidden.folder)).toContain('user:alice')
    const kept = await writeRecording(scratchFolder(), events, { limits: { compressFromBytes: 0 } })
    expect(everything(kept.folder)).toContain(secret)
  })

  test('as parameters is not in the messages of errors either', async () => {
    const policy: RecordingPolicy = { text: 'keep', parameters: 'commit', rows: 'none' }
    const { folder } = await writeRecording(scratchFolder(), events.slice(1, 3), { policy })
    expect(everything(folder)).not.toContain('Ada')
    expect(await readAll(folder)).toMatchObject([{ text: 'select $1' }, { error: { sqlstate: '22P02' } }])
  })

  test('holds where there is much less of it than of its commitments', async () => {
    const statement = { type: 'statement', at: sampleStart, protocol: 'extended', text: 'x' } as const
    const events = [
      { ...statement, statement: 1 },
      { ...statement, statement: 2, parameters: Array.from({ length: 60_000 }, () => null) },
      { ...statement, statement: 3 },
    ]
    const { folder, heads } = await writeRecording(scratchFolder(), events, { policy: commitAll })
    expect(await readAll(folder, { head: heads.at(-1)! })).toHaveLength(3)
  })

  test('opens with its salt, value by value, and equal values do not show as equal', async () => {
    const dir = scratchFolder()
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(anyEvent, { minLength: 1, maxLength: 12 }), anyLimits, async (events, limits) => {
        const options = { session: `ses_${run++}`, policy: commitAll, limits }
        const { folder, heads } = await writeRecording(dir, events, options)
        const read = await readAll(folder, { salts: true, head: heads.at(-1)! })
        const hidden = read.flatMap((event) =>
          event.type === 'statement' ? [event.text, ...(event.parameters ?? [])] : [],
        )
        const values = events.flatMap((event) =>
          event.type === 'statement' ? [event.text, ...(event.parameters ?? [])] : [],
        )
        expect(hidden).toHaveLength(values.length)
        for (const [i, value] of values.entries()) {
          const { commitment, salt } = hidden[i] as Committed
          expect(opens(commitment, { salt: salt!, value: committedForm(value) })).toBe(true)
          expect(opens(commitment, { salt: salt!, value: 'another' })).toBe(false)
        }
        const commitments = hidden.map((value) => (value as Committed).commitment)
        expect(new Set(commitments).size).toBe(commitments.length)
      }),
      { numRuns: 60 },
    )
  })
})

describe('rows', () => {
  const rows = (statement: number, count: number): SessionEvent => ({
    type: 'rows',
    at: instant(statement),
    statement,
    rows: Array.from({ length: count }, (_, i) => [`row ${i}`, 'x'.repeat(100)]),
  })
  const limits = { rows: { perStatementBytes: 2_000, perSessionBytes: 5_000 } }

  test('of one statement are kept as far as there is room, and marked where that is not all, once', async () => {
    const { folder } = await writeRecording(scratchFolder(), [rows(1, 3), rows(1, 3), rows(1, 3), rows(2, 1)], {
      limits,
    })
    const read = await readAll(folder)
    expect(read.map((event) => event.type === 'rows' && [event.statement, event.rows.length, event.truncated])).toEqual(
      [
        [1, 3, undefined],
        [1, 2, true],
        [2, 1, undefined],
      ],
    )
  })

  test('of all statements together are bounded too', async () => {
    const many = Array.from({ length: 20 }, (_, i) => rows(i + 1, 5))
    const { folder } = await writeRecording(scratchFolder(), many, { limits })
    const kept = (await readAll(folder)).map((event) => (event.type === 'rows' ? event.rows.length : 0))
    expect(kept).toHaveLength(20)
    expect(kept.reduce((a, b) => a + b)).toBeLessThanOrEqual(5_000 / 300)
    expect(kept.at(-1)).toBe(0)
  })

  test('are not recorded where the policy does not say so', async () => {
    const policy: RecordingPolicy = { ...keepAll, rows: 'none' }
    const { heads } = await writeRecording(scratchFolder(), [rows(1, 3)], { policy })
    expect(heads).toMatchObject([{ events: 0, bytes: 0 }])
  })
})
