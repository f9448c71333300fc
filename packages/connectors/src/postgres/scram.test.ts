import { createHash, createHmac, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { openTarget } from '../testing/postgres-target.ts'
import { createPasswords, makePassword, scramVerifier } from './scram.ts'

test('a verifier checks the exchange of RFC 7677, section 3', async () => {
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const [, , keys = ''] = (await scramVerifier('pencil', salt)).split('$')
  const [storedKey = '', serverKey = ''] = keys.split(':').map((key) => Buffer.from(key, 'base64'))
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const authMessage = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${nonce}`
  const hmac = (key: string | Buffer) => createHmac('sha256', key).update(authMessage).digest()
  expect(hmac(serverKey).toString('base64')).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64')
  const clientKey = Buffer.from(hmac(storedKey).map((byte, at) => byte ^ (proof[at] ?? 0)))
  expect(createHash('sha256').update(clientKey).digest()).toEqual(storedKey)
})

test('a verifier is the one that PostgreSQL makes of the same password and salt', async () => {
  const target = await openTarget()
  try {
    const role = target.group('scram')
    await target.ask(`SET password_encryption = 'scram-sha-256'; CREATE ROLE ${role} PASSWORD 'a-PASSWORD_42'`)
    const [row] = await target.ask<{ rolpassword: string }>('SELECT rolpassword FROM pg_authid WHERE rolname = $1', [
      role,
    ])
    await target.ask(`DROP ROLE ${role}`)
    const made = row?.rolpassword ?? ''
    const salt = Buffer.from(/^SCRAM-SHA-256\$4096:([^$]+)\$/.exec(made)?.[1] ?? '', 'base64')
    expect(await scramVerifier('a-PASSWORD_42', salt)).toBe(made)
  } finally {
    await target.cleanup()
  }
})

test('a password is 256 random bits, and its verifier is salted', async () => {
  let calls = 0
  const random = (count: number) => new Uint8Array(count).fill(calls++)
  const first = await makePassword(random)
  const second = await makePassword(random)
  expect(Buffer.from(first.password, 'base64url')).toHaveLength(32)
  expect(first.password).not.toBe(second.password)
  expect(first.verifier).not.toContain(first.password)
})

test('a password that would need SASLprep is refused', () =>
  expect(scramVerifier('pass\u00a0word', new Uint8Array(16))).rejects.toThrow(RangeError))

test('a password made ahead is given out once, like every other', async () => {
  const passwords = createPasswords(randomBytes)
  const given: string[] = []
  for (let i = 0; i < 3; i++) {
    given.push((await passwords.take()).password)
    passwords.prepare()
  }
  const both = await Promise.all([passwords.take(), passwords.take()])
  expect(new Set([...given, ...both.map(({ password }) => password)]).size).toBe(5)
})
