import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hashPassword, isPassword, nobodysHash, passwordProblem } from './password.ts'

const problem = (password: string, user = 'alice.miller@example.com') => passwordProblem(password, user)

test.each([
  'password1234',
  'P@ssw0rd1234!',
  'passwordpassword',
  'Password2025!!',
  'qwertyuiop123',
  '1q2w3e4r5t6y',
  '1qaz2wsx3edc',
  'zaq12wsxcde3',
  '123456789012',
  'abcdefghijkl',
  'lkjhgfdsapoiu',
  'iloveyou1234',
  'administrator1',
  'letmeinletmein',
  'Summer2024!!',
  'SummerWinter19',
  'welcome12345!',
  'Tidegate2026',
  't1degate-t1degate',
  'alice.miller1',
  'millermiller12',
  'Alice12345678',
  'abcabcabcabcabc',
  'x!x!x!x!x!x!',
  'aaaaaaaaaaaa',
])('%s is tried before others, and refused with what is wrong', async (password) => {
  expect(await problem(password)).toContain('little more than')
})

test.each([
  'correct horse battery staple',
  'the summer of my test',
  'my aunt has a red boat',
  'Grüße aus Wien, Tante!',
  'mK7#qv-Zt2!pLw',
  'パスワードではない言葉です',
])('%s is good', async (password) => {
  expect(await problem(password)).toBeUndefined()
})

test('what is made at random is good, whoever it is for', async () => {
  const random = fc.constant(0).map(() => randomBytes(12).toString('base64'))
  await fc.assert(
    fc.asyncProperty(random, fc.string({ minLength: 1, maxLength: 40 }), async (password, user) => {
      expect(await problem(password, `${user}-alice`)).toBeUndefined()
    }),
  )
})

test('a password of any signs is looked at, for a user of any name', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string({ unit: 'binary', minLength: 1 }),
      async (one, other) => {
        expect(['string', 'undefined']).toContain(typeof (await problem(one, other)))
      },
    ),
  )
})

test('what two keyboards type differently is one password, and nobody’s is nobody’s', async () => {
  const hashed = await hashPassword('Gru\u0308\u00dfe aus Wien')
  expect(await isPassword('Gr\u00fc\u00dfe aus Wien', hashed)).toBe(true)
  expect(await isPassword('Grusse aus Wien', hashed)).toBe(false)
  for (const nobody of [undefined, null]) expect(await isPassword('', nobody)).toBe(false)
  expect(nobodysHash.split('$').slice(0, 4)).toEqual(hashed.split('$').slice(0, 4))
})
