import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { instant } from '@tidegate/core'
import { describe, expect, test } from 'vitest'
import { scratchFolder } from '../../../../tests/support/folders.ts'
import { exportRecording } from './export.ts'
import type { ExportOptions } from './export.ts'
import { commitAll, sampleEvents, writeRecording } from './testing/sample.ts'

async function linesOf(folder: string, options: ExportOptions = {}): Promise<Record<string, unknown>[]> {
  let text = ''
  for await (const line of exportRecording(folder, options)) text += line
  expect(text.endsWith('\n')).toBe(true)
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('an export', () => {
  test('is the recording, its events and the verdict, a line each', async () => {
    const { folder, heads } = await writeRecording(scratchFolder(), [
      {
        type: 'statement',
        at: instant(0),
        statement: 1,
        protocol: 'extended',
        text: 'select\n$1',
        parameters: ['a', Buffer.from([0, 255]), null],
      },
      {
        type: 'result',
        at: instant(1),
        statement: 1,
        durationMs: 0.5,
        rows: 0,
        bytes: 0,
        error: { sqlstate: '57014', message: 'canceled' },
      },
    ])
    expect(await linesOf(folder, { head: heads.at(-1)! })).toEqual([
      {
        type: 'recording',
        session: 'ses_sample',
        grant: 'grt_01m80b3sgk5x0vdvvh3xjxbbq1',
        principal: 'user:alice',
        resource: 'orders-db',
        role: 'readonly',
        gateway: 'gw-1',
        started: '2026-03-01T09:30:00.000Z',
        policy: { text: 'keep', parameters: 'keep', rows: 'keep' },
      },
      {
        type: 'statement',
        sequence: 1,
        at: '1970-01-01T00:00:00.000Z',
        statement: 1,
        protocol: 'extended',
        text: 'select\n$1',
        parameters: ['a', { base64: 'AP8=' }, null],
      },
      {
        type: 'result',
        sequence: 2,
        at: '1970-01-01T00:00:00.001Z',
        statement: 1,
        durationMs: 0.5,
        rows: 0,
        bytes: 0,
        error: { sqlstate: '57014', message: 'canceled' },
      },
      {
        type: 'verdict',
        ok: true,
        state: 'ended',
        detail: '2 events in 1 block, to the end of the session, as anchored',
        head: heads.at(-1),
        anchoredEvents: 2,
        salts: 'none',
      },
    ])
  })

  test('of what is hidden has commitments, and salts where they are asked for', async () => {
    const { folder } = await writeRecording(scratchFolder(), sampleEvents(1), { policy: commitAll })
    const [, without] = await linesOf(folder)
    const [, withSalts] = await linesOf(folder, { salts: true })
    expect(without?.['text']).toEqual({ commitment: expect.stringMatching(/^c1:/) })
    expect(withSalts?.['text']).toEqual({
      ...(without?.['text'] as object),
      salt: expect.stringMatching(/^[\w-]{22}$/),
    })
  })

  test('of a recording that does not hold ends where it stops holding, with the verdict', async () => {
    const { folder, heads } = await writeRecording(scratchFolder(), sampleEvents(4), { anchorEvery: 4 })
    const file = join(folder, '000001.tgrec')
    writeFileSync(file, readFileSync(file).subarray(0, -120))
    const lines = await linesOf(folder, { head: heads.at(-1)! })
    expect(lines.map(({ type }) => type)).toEqual([
      'recording',
      'statement',
      'result',
      'statement',
      'result',
      'verdict',
    ])
    expect(lines.at(-1)).toMatchObject({ ok: false, reason: 'truncated' })
  })
})
