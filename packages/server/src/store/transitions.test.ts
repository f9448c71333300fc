import { grantTransitions, requestTransitions, statementTransitions } from '@tidegate/core'
import { expect, test } from 'vitest'
import { storeForTest } from '../testing/store.ts'

const sorted = (rows: readonly { from: string; to: string }[]): string[] =>
  rows.map(({ from, to }) => `${from}>${to}`).toSorted()

test('the database knows the same transitions of grants, requests and statements as the code', async () => {
  const { db } = await storeForTest()
  const grants = await db.selectFrom('grantTransition').select(['fromState as from', 'toState as to']).execute()
  const requests = await db.selectFrom('requestTransition').select(['fromStatus as from', 'toStatus as to']).execute()
  expect(sorted(grants)).toEqual(sorted(grantTransitions))
  expect(sorted(requests)).toEqual(sorted(requestTransitions))
  const statements = await db
    .selectFrom('statementTransition')
    .select(['fromStatus as from', 'toStatus as to'])
    .execute()
  expect(sorted(statements)).toEqual(sorted(statementTransitions))
})
