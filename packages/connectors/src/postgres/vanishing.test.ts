/** What a holder leaves running when they vanish without a goodbye, as the machine or the gateway they came by does. */

import { expect, onTestFinished, test } from 'vitest'
import { newLease, openTarget } from '../testing/postgres-target.ts'

test('a statement ends with the connection that asked for it', async () => {
  const target = await openTarget()
  onTestFinished(target.cleanup)
  expect(await target.connector.align()).toMatchObject({ outcome: 'aligned' })
  const lease = newLease('narrow')
  for (let times = 0; times < 2; times++) {
    const opened = await target.connector.open(lease)
    if (opened.outcome !== 'opened') throw new Error(opened.message)
    const { credential } = opened
    const client = await target.loginAs(credential)
    client.on('error', () => undefined)
    const sleeping = client.query('SELECT pg_sleep(600)').catch(() => 'cut')
    const running = async (): Promise<number> => {
      const [row] = await target.ask(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = '${credential.user}' AND wait_event = 'PgSleep'`,
      )
      return Number(row?.['n'])
    }
    await expect.poll(running).toBe(1)
    client.connection.stream.destroy()
    expect(await sleeping).toBe('cut')
    await expect.poll(running).toBe(0)
    // As one that was made before there was this.
    await target.ask(`ALTER ROLE "${credential.user}" RESET ALL`)
  }
})
