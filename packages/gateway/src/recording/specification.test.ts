/** The specification, held to the code: the reader that stands in it reads what the recorder writes. */

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { instant } from '@tidegate/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scratchFolder } from '../../../../tests/support/folders.ts'
import type { SessionEvent } from './event.ts'
import { eventForm } from './export.ts'
import { commitAll, keepAll, readAll, writeRecording, anyEvent } from './testing/sample.ts'

const specification = readFileSync('docs/reference/recording.md', 'utf8')
const reader = /^```python\n([\s\S]*?)^```$/m.exec(specification)?.[1] ?? ''
const hasPython = spawnSync('python3', ['--version']).status === 0

const long: SessionEvent = {
  type: 'statement',
  at: instant(5),
  statement: 1,
  protocol: 'simple',
  text: 'x'.repeat(500_000),
}

// Skipped where there is no Python.
test.runIf(hasPython).each([keepAll, commitAll])('the reader of the specification reads %o', async (policy) => {
  const dir = scratchFolder()
  const program = join(dir, 'reader.py')
  writeFileSync(program, reader)
  const some = fc.sample(anyEvent, { numRuns: 300, seed: 1 })
  const events = [...some, long, ...some]
  const limits = { blockBytes: 2_000, segmentBytes: 20_000 }
  const { folder } = await writeRecording(join(dir, 'recordings'), events, { policy, limits })
  const { status, stdout, stderr } = spawnSync('python3', [program, folder], { encoding: 'utf8', maxBuffer: 1e9 })
  expect(status, stderr).toBe(0)
  const read = stdout.trimEnd().split('\n')
  const ours = (await readAll(folder)).map((event) => {
    const { sequence: _sequence, ...form } = eventForm(event)
    return { ...form, at: Date.parse(form['at'] as string) }
  })
  expect(read.map((line) => JSON.parse(line) as unknown)).toEqual(ours)
  expect(read).toHaveLength(601)
})
