import { expect, test } from 'vitest'
import { givenUp, startEndlessForTest } from '../../../tests/support/endless.ts'
import { createClient } from './client.ts'

/** A server that answers with these bytes, as they are cut. */
const answering = (...chunks: readonly Uint8Array[]) =>
  createClient({
    url: 'http://tidegate.test',
    fetch: async () =>
      new Response(
        new ReadableStream({
          start(controller) {
            for (const chunk of chunks) controller.enqueue(chunk)
            controller.close()
          },
        }),
      ),
  })

test('answers on lines are heard one by one, however they are cut, and the last of them is what comes of the call', async () => {
  const bytes = Buffer.from('{"a":"é"}\n\n{"a":2}\n{"a":3}')
  for (let at = 0; at <= bytes.length; at++) {
    const heard: unknown[] = []
    const client = answering(bytes.subarray(0, at), bytes.subarray(at))
    const last = await client.whoami({}, { onAnswer: (answer) => heard.push(answer) })
    expect(heard).toEqual([{ a: 'é' }, { a: 2 }, { a: 3 }])
    expect(last).toEqual({ a: 3 })
  }
})

test('half a line is no answer', async () => {
  const heard: unknown[] = []
  const client = answering(Buffer.from('{"a":1}\n{"a"'))
  await expect(client.whoami({}, { onAnswer: (answer) => heard.push(answer) })).rejects.toThrow(SyntaxError)
  expect(heard).toEqual([{ a: 1 }])
})

test('who cannot take an answer hears no other', async () => {
  let heard = 0
  const client = answering(Buffer.from('1\n2\n'))
  const onAnswer = (): void => {
    heard += 1
    throw new Error('not this one')
  }
  await expect(client.whoami({}, { onAnswer })).rejects.toThrow('not this one')
  expect(heard).toBe(1)
})

test.each([
  ['heard as they come', { onAnswer: () => undefined }],
  ['taken together', {}],
])(
  'answers %s that never end, end when they are given up, whatever was collected as garbage meanwhile',
  async (_, how) => {
    const endless = await startEndlessForTest()
    const client = createClient({ url: endless.url })
    for (let i = 0; i < 5; i++) await givenUp(endless, (signal) => client.whoami({}, { ...how, signal }))
    await expect.poll(endless.left).toBe(5)
  },
)

test('who has given up already gets no answer', async () => {
  await expect(answering(Buffer.from('1\n')).whoami({}, { signal: AbortSignal.abort() })).rejects.toThrow('aborted')
})
