import { expect, test } from 'vitest'
import { givenUp, startEndlessForTest } from '../../../tests/support/endless.ts'
import { wholeAnswers } from './server.ts'

test('an answer that never ends is given up, whatever was collected as garbage meanwhile', async () => {
  const endless = await startEndlessForTest()
  await givenUp(endless, (signal) => wholeAnswers(fetch)(endless.url, { redirect: 'error', signal }))
  await expect.poll(endless.left).toBe(1)
})
