/** What a target says may come in any pieces: what the client gets of it is the same. */

import { instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import { readServerMessages } from '../postgres/limits.ts'
import { createDialogue } from '../postgres/session/dialogue.ts'
import { createMemoryRecorder } from '../postgres/testing/recorder.ts'
import { dial, words } from '../postgres/testing/wire.ts'
import { createBudget, createFramer, rulesOf as framerRules } from '../postgres/wire/framer.ts'
import type { Frame } from '../postgres/wire/client-messages.ts'
import { createMask, type SessionMask } from './mask.ts'
import { rulesOf, startShop, testKey } from './testing/shop.ts'

const rules = rulesOf({
  columns: [{ names: ['email'], by: 'partial' }],
  detect: [{ kinds: ['email'], by: 'full' }],
})

const sql = `select id, email, name from customers order by id; copy (select id, lower(email) from customers) to stdout; select 'x@y.example'::int`

/** The same bytes, cut in two, through framer and dialogue. */
function through(bytes: Buffer, cut: number, mask: SessionMask): Buffer {
  const recorder = createMemoryRecorder()
  const now = () => instant(0)
  const dialogue = createDialogue({ recorder, guard: undefined, caps: undefined, mask, now, elapsedMs: () => 0 })
  const asked = words.query(sql)
  dialogue.fromClient({ buffer: asked, start: 0, end: asked.length, type: 0x51, length: asked.length })
  const framer = createFramer(framerRules(readServerMessages), createBudget(1 << 20))
  const out: Buffer[] = []
  for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
    // A copy: rows are rewritten where they are.
    framer.push(Buffer.from(piece))
    for (let found = framer.next(); found !== 'none'; found = framer.next()) {
      expect(found).toBe('message')
      const verdict = dialogue.fromServer(framer)
      expect(['forward', 'replace']).toContain(verdict.do)
      out.push(verdict.do === 'replace' ? verdict.bytes : Buffer.from(framer.buffer.subarray(framer.start, framer.end)))
    }
  }
  return Buffer.concat(out)
}

const joined = (frames: readonly Frame[]): Buffer =>
  Buffer.concat(frames.map(({ buffer, start, end }) => buffer.subarray(start, end)))

test('a result that is cut at any byte is masked as in one piece, and as through the gateway', async () => {
  const world = await startShop(rules)
  const direct = await dial(world.database.connection)
  direct.send(words.query(sql))
  const bytes = joined(await direct.untilReady())
  expect(bytes.includes('alice.secret')).toBe(true)
  direct.send(words.query(createMask(rules, { key: testKey }).question))
  const answer = (await direct.untilReady()).find(({ type }) => type === 'D')!.buffer.toString('utf8', 11)
  const mask = await createMask(rules, { key: testKey }).open(answer)
  const whole = through(bytes, bytes.length, mask)
  expect(whole.toString('latin1')).not.toMatch(/alice|secret|x@y/)
  expect(whole.includes('Alice')).toBe(true)
  for (let cut = 0; cut < bytes.length; cut++) expect(through(bytes, cut, mask).equals(whole)).toBe(true)
  const masked = await dial(world.connection)
  masked.send(words.query(sql))
  expect(joined(await masked.untilReady()).equals(whole)).toBe(true)
})
