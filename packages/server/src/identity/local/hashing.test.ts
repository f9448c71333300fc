import { expect, test } from 'vitest'
import { createHashing } from './hashing.ts'

/** Work that goes on until the test says so. */
function held() {
  let letGo = (): void => undefined
  let begin = (): void => undefined
  const until = new Promise<void>((resolve) => (letGo = resolve))
  const begun = new Promise<void>((resolve) => (begin = resolve))
  let hasBegun = false
  const work = async (): Promise<string> => {
    hasBegun = true
    begin()
    await until
    return 'done'
  }
  return { work, begun, letGo: () => letGo(), hasBegun: () => hasBegun }
}

test('so many at once, the rest one after another as they came, and one too many is told to come back', async () => {
  const hashing = createHashing({ atOnce: 2, waiting: 2 })
  const works = [held(), held(), held(), held()]
  const running = works.map(({ work }) => hashing.run(work))
  await expect(hashing.run(async () => 'never')).rejects.toMatchObject({
    code: 'too-many',
    details: { retryAfterSeconds: 5 },
  })
  const begun = () => works.map(({ hasBegun }) => hasBegun())
  expect(begun()).toEqual([true, true, false, false])
  works[1]?.letGo()
  expect(await running[1]).toBe('done')
  await works[2]?.begun
  expect(begun()).toEqual([true, true, true, false])
  for (const { letGo } of works) letGo()
  expect(await Promise.all(running)).toEqual(['done', 'done', 'done', 'done'])
  expect(await hashing.run(async () => 'again')).toBe('again')
})

test('what fails makes room as well', async () => {
  const hashing = createHashing({ atOnce: 1, waiting: 1 })
  await expect(hashing.run(() => Promise.reject(new Error('no memory')))).rejects.toThrow('no memory')
  expect(await hashing.run(async () => 'fine')).toBe('fine')
})
