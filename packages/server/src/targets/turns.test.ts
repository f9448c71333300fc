import { expect, test } from 'vitest'
import { createTurns } from './turns.ts'

test('a turn that is free is taken at once, and resources do not wait for each other', async () => {
  const turns = createTurns({ atOnce: 1, patienceMs: 0 })
  const first = await turns.take('a')
  expect(first).toBeDefined()
  expect(await turns.take('b')).toBeDefined()
  expect(await turns.take('a')).toBeUndefined()
  first?.()
  expect(await turns.take('a')).toBeDefined()
})

test('whoever waits comes in the order of asking, one for each turn given back', async () => {
  const turns = createTurns({ atOnce: 2, patienceMs: 60_000 })
  const held = [await turns.take('a'), await turns.take('a')]
  const came: number[] = []
  const waiting = [1, 2, 3].map(async (number) => {
    const done = await turns.take('a')
    came.push(number)
    return done
  })
  held[0]?.()
  await waiting[0]
  expect(came).toEqual([1])
  held[1]?.()
  ;(await waiting[0])?.()
  await Promise.all(waiting)
  expect(came).toEqual([1, 2, 3])
})

test('giving a turn back twice gives it back once', async () => {
  const turns = createTurns({ atOnce: 1, patienceMs: 0 })
  const turn = await turns.take('a')
  turn?.()
  turn?.()
  expect(await turns.take('a')).toBeDefined()
  expect(await turns.take('a')).toBeUndefined()
})
