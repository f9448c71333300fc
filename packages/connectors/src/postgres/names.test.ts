/** Each name that comes from a configuration or from the target, with everything in it that could end a quotation. */

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTarget, type Target as Harness } from '../../../../tests/support/target.ts'
import { newLease, openTarget, roleOf } from '../testing/postgres-target.ts'
import { quoteIdentifier } from './sql-file.ts'

let harness: Harness
beforeAll(async () => {
  harness = await createTarget()
})
afterAll(() => harness.drop())

const victim = `victim_${randomBytes(4).toString('hex')}`

const attacks = [
  `";DROP ROLE ${victim};--`,
  `x' ; DROP ROLE ${victim}; --`,
  `back\\slash\\' "quoted"`,
  `line\nbreak -- and /* comment`,
  `ünïcödé ’ 😀 \u202e`,
  `:"login" :'verifier' :limit $1 %s`,
  `SELECT`,
  ` `,
]

describe.each(attacks.map((text, at) => ({ text, at })))('named $text', ({ text, at }) => {
  const made = (kind: string): string => quoteIdentifier(`${text}${kind}${at}`)
  const name = (kind: string): string => `${text}${kind}${at}`

  test('schema, table, column, function, role, owner, database and search path mean themselves', async () => {
    const roles = [
      roleOf(name('r'), [
        { schema: name('s'), tables: [name('t')], privileges: ['select'], columns: [name('c')] },
        { schema: name('s'), sequences: '*', privileges: ['usage'] },
        { schema: name('s'), functions: [name('f')], privileges: ['execute'] },
      ]),
    ]
    const database = `${harness.database}${name('d')}`.slice(0, 40)
    const target = await openTarget({
      harness,
      roles,
      config: { owner: name('o'), databases: [harness.database, database], searchPath: [name('s'), 'public'] },
    })
    await target.ask(`CREATE ROLE ${victim}`)
    await target.ask(`CREATE ROLE ${made('o')}`)
    await target.ask(`GRANT ${made('o')} TO ${harness.admin.user}`)
    await target.ask(`CREATE DATABASE ${quoteIdentifier(database)} OWNER ${made('o')}`)
    const shop = `CREATE SCHEMA ${made('s')} AUTHORIZATION ${made('o')}; SET ROLE ${made('o')};
      CREATE TABLE ${made('s')}.${made('t')} (${made('c')} serial, hidden int);
      CREATE FUNCTION ${made('s')}.${made('f')}() RETURNS int LANGUAGE sql RETURN 1; RESET ROLE`
    await target.ask(shop)
    await target.in(database, shop)
    try {
      expect(await target.connector.align()).toMatchObject({ outcome: 'aligned' })
      expect(await target.connector.align()).toEqual({ outcome: 'aligned', changes: [] })
      const lease = newLease(name('r'))
      const outcome = await target.connector.open(lease)
      if (outcome.outcome !== 'opened') throw new Error(outcome.message)
      const session = await target.loginAs(outcome.credential)
      await session.query(`SELECT ${made('c')}, ${made('f')}() FROM ${made('t')}`)
      await expect(session.query(`SELECT hidden FROM ${made('t')}`)).rejects.toThrow('permission denied')
      await session.query('SELECT lo_create(0)')
      await session.end()
      expect((await target.connector.survey()).map(({ holder }) => holder)).toContain(name('o'))
      expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'closed', existed: true })
      expect(await target.ask('SELECT FROM pg_roles WHERE rolname = $1', [victim])).toHaveLength(1)
    } finally {
      await target.connector.end()
      await target.ask(`DROP DATABASE ${quoteIdentifier(database)} WITH (FORCE)`)
      await target.ask(`DROP OWNED BY ${made('o')}, ${quoteIdentifier(target.group(name('r')))} CASCADE`)
      await target.ask(`DROP ROLE ${victim}, ${made('o')}, ${quoteIdentifier(target.group(name('r')))}`)
      await target.cleanup()
    }
  })
})
