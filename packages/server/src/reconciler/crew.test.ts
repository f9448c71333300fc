import { expect, test } from 'vitest'
import { createCrew, runCrew } from './crew.ts'

test('one worker looks when there is nothing to do', async () => {
  let looks = 0
  await runCrew({
    most: 8,
    work: async () => {
      looks++
      return false
    },
  })
  expect(looks).toBe(1)
})

test('workers are taken on up to the most, and every piece is done once', async () => {
  let left = 100
  let atOnce = 0
  let most = 0
  const done: number[] = []
  await runCrew({
    most: 5,
    work: async (hire) => {
      if (left === 0) return false
      const piece = left--
      hire()
      most = Math.max(most, ++atOnce)
      await new Promise(setImmediate)
      atOnce--
      done.push(piece)
      return true
    },
  })
  expect(most).toBe(5)
  expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
})

test('a failure is thrown when the others are done with theirs', async () => {
  let left = 10
  let done = 0
  const crew = runCrew({
    most: 3,
    work: async (hire) => {
      if (left === 0) return false
      const piece = left--
      hire()
      await new Promise(setImmediate)
      if (piece === 10) throw new Error('broken')
      done++
      return true
    },
  })
  await expect(crew).rejects.toThrow('broken')
  expect(done).toBe(9)
})

test('a look is over while what was found is still worked on, and the next one finds what has come since', async () => {
  const pieces = ['hangs']
  const done: string[] = []
  let letGo = (): void => {}
  const hanging = new Promise<void>((resolve) => (letGo = resolve))
  const crew = createCrew({
    most: 2,
    failed: () => {},
    work: async (hire) => {
      const piece = pieces.shift()
      if (piece === undefined) return false
      hire()
      if (piece === 'hangs') await hanging
      done.push(piece)
      return true
    },
  })
  await crew.look()
  pieces.push('came later')
  await crew.look()
  expect(done).toEqual(['came later'])
  letGo()
  await crew.done()
  expect(done).toEqual(['came later', 'hangs'])
})

test('a look is over when everyone is at work, and a failure is told whenever it comes', async () => {
  const failures: unknown[] = []
  let letGo = (): void => {}
  const hanging = new Promise<void>((resolve) => (letGo = resolve))
  const crew = createCrew({
    most: 3,
    failed: (error) => failures.push(error),
    work: async (hire) => {
      hire()
      await hanging
      throw new Error('broken')
    },
  })
  await crew.look()
  await crew.look()
  expect(failures).toEqual([])
  letGo()
  await crew.done()
  expect(failures).toHaveLength(3)
})
