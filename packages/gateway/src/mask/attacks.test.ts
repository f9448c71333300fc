/** Each way to a masked value, tried through the gateway on a real PostgreSQL: it is masked or refused. Without a mask it shows. */

import type { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { isTargetBefore16 } from '../../../../tests/support/databases.ts'
import { failing, moving, reading } from './testing/attacks.ts'
import { shows, tried } from './testing/seen.ts'
import { connected, emailRules, startShop } from './testing/shop.ts'

/** An older target has not all of these ways. */
const isUnknown = (told: string): boolean => isTargetBefore16() && /"code":"(?:42601|42883|42P01)"/.test(told)

type Pair = { readonly masked: Client; readonly open: Client }

async function clients(): Promise<Pair> {
  const [masked, open] = [await startShop(emailRules), await startShop(undefined)]
  return { masked: await connected(masked), open: await connected(open) }
}

describe('a masked value', () => {
  const single = reading.filter((text) => !text.includes(';'))
  const several = reading.filter((text) => text.includes(';'))

  test('is not seen in any way of reading it, and without a mask each way shows it', async () => {
    const { masked, open } = await clients()
    for (const text of single) {
      const there = await tried(open, [text])
      if (!isUnknown(there)) expect.soft(`${shows(there)}: ${text}`).toBe(`true: ${text}`)
      expect.soft(`${shows(await tried(masked, [text]))}: ${text}`).toBe(`false: ${text}`)
    }
  })

  test('is not seen by way of the extended protocol, as text or in binary', async () => {
    const { masked, open } = await clients()
    for (const text of single) {
      const there = await tried(open, [text], { queryMode: 'extended' })
      if (!isUnknown(there)) expect.soft(`${shows(there)}: ${text}`).toBe(`true: ${text}`)
      expect.soft(`${shows(await tried(masked, [text], { queryMode: 'extended' }))}: ${text}`).toBe(`false: ${text}`)
      expect
        .soft(`${shows(await tried(masked, [text], { queryMode: 'extended', binary: true }))}: ${text}`)
        .toBe(`false: ${text}`)
    }
  })

  test('is not seen among several statements, nor by a name that one of them gave', async () => {
    const [masked, open] = [await startShop(emailRules), await startShop(undefined)]
    for (const text of several) {
      expect.soft(`${shows(await tried(await connected(open), [text]))}: ${text}`).toBe(`true: ${text}`)
      expect.soft(`${shows(await tried(await connected(masked), [text]))}: ${text}`).toBe(`false: ${text}`)
    }
  })

  test('is in no error and no notice', async () => {
    const { masked, open } = await clients()
    for (const text of failing) {
      const there = await tried(open, [text])
      if (!isUnknown(there)) expect.soft(`${shows(there)}: ${text}`).toBe(`true: ${text}`)
      expect.soft(`${shows(await tried(masked, [text]))}: ${text}`).toBe(`false: ${text}`)
    }
  })

  test('is not taken to where it would not be masked', async () => {
    const { masked, open } = await clients()
    for (const [take, show] of moving) {
      expect.soft(await tried(masked, [take]), take).toContain('"42501"')
      expect.soft(`${shows(await tried(masked, [take, show]))}: ${take}`).toBe(`false: ${take}`)
      expect.soft(`${shows(await tried(open, [take, show]))}: ${take}`).toBe(`true: ${take}`)
    }
  })
})
