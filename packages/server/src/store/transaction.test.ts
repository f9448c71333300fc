/** Several things go on at once on one connection, and one of them fails. */

import { expect, test } from 'vitest'
import { instant } from '@tidegate/core'
import { storeForTest } from '../testing/store.ts'
import { change } from './change.ts'
import type { Reader } from './database.ts'
import { instantParam } from './database.ts'
import { together } from './transaction.ts'

const writeTo = (reader: Reader) =>
  reader
    .insertInto('spentToken')
    .values({ hash: Buffer.from('late'), endsAt: instantParam(instant(1)) })
    .execute()

const readFrom = (reader: Reader) => reader.selectFrom('spentToken').select('hash').execute()

/** Does something, and something more once it is let go on. */
function inTwoSteps() {
  let goOn = (): void => undefined
  const gate = new Promise<void>((open) => void (goOn = open))
  const work = async (reader: Reader): Promise<unknown> => {
    await readFrom(reader)
    await gate
    return writeTo(reader)
  }
  return { work, goOn: () => goOn() }
}

test('what another was about to write when the change failed is not written, neither then nor in the next change', async () => {
  const { db, runtime } = await storeForTest()
  const { work, goOn } = inTwoSteps()
  let late: Promise<unknown> = Promise.resolve()
  const failing = change({ db, runtime }, async ({ tx }) => {
    late = work(tx)
    await readFrom(tx)
    throw new Error('This one failed.')
  })
  await expect(failing).rejects.toThrow('This one failed.')
  goOn()
  await expect(late).rejects.toThrow('after the end')
  await change({ db, runtime }, async ({ tx }) => readFrom(tx))
  expect(await readFrom(db)).toEqual([])
})

test('what is asked together is answered each by itself, and nothing is asked after that', async () => {
  const { db } = await storeForTest()
  const { work, goOn } = inTwoSteps()
  let late: Promise<unknown> = Promise.resolve()
  const read = await together(db, (reader) => {
    late = work(reader)
    return Promise.all([readFrom(reader), readFrom(reader)])
  })
  expect(read).toEqual([[], []])
  goOn()
  await expect(late).rejects.toThrow('after the end')
  expect(await readFrom(db)).toEqual([])
})
