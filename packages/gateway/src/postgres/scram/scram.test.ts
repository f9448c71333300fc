import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testUser, verifierOf } from '../testing/gateway.ts'
import { mechanisms } from './attributes.ts'
import { createScramClient } from './client.ts'
import { createKeyRing, makeKeys } from './keys.ts'
import { createScramServer, type ScramServer } from './server.ts'
import { mockVerifier, readVerifier, type ScramVerifier } from './verifier.ts'

const nonce = (): string => randomBytes(18).toString('base64')
const verifier = readVerifier(verifierOf(testUser.password))!

type Meeting = {
  readonly secret?: string
  readonly server?: ScramVerifier
  readonly binding?: Buffer
  readonly seen?: Buffer
}

/** A client and a server of ours, each with what it takes for the certificate's hash. */
async function meet({ secret = testUser.password, server = verifier, binding, seen = binding }: Meeting) {
  const ours = createScramServer({ verifier: server, nonce: nonce(), ...(binding && { binding }) })
  const client = createScramClient({
    secret,
    nonce: nonce(),
    offered: ours.mechanisms,
    overTls: seen !== undefined,
    ...(seen && { binding: seen }),
  })!
  const challenge = ours.first(client.mechanism, client.first)
  if (challenge.outcome !== 'continue') return { client, answer: challenge }
  const final = await client.final(challenge.message)
  if ('problem' in final) return { client, answer: final }
  return { client, answer: ours.final(final.message) }
}

describe('the exchange of RFC 7677', () => {
  const salt = 'W22ZaJ0SNY7soEsUEjb6gQ=='
  const both = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const proof = 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='

  /** Of the password `pencil`, by the definitions of RFC 5802 and nothing of ours. */
  const pencil = readVerifier(
    `SCRAM-SHA-256$4096:${salt}$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=`,
  )!

  const begun = (): ScramServer => {
    const server = createScramServer({ verifier: pencil, nonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0' })
    const first = server.first(mechanisms.plain, 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
    expect(first).toEqual({ outcome: 'continue', message: `r=${both},s=${salt},i=4096` })
    return server
  }

  test('is what our server says', () => {
    expect(begun().final(`c=biws,r=${both},p=${proof}`)).toEqual({
      outcome: 'continue',
      message: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    })
  })

  test('fails with any other bit in the proof', () => {
    const bytes = Buffer.from(proof, 'base64')
    for (let bit = 0; bit < 256; bit++) {
      const other = Buffer.from(bytes)
      other[bit >> 3]! ^= 1 << (bit & 7)
      expect(begun().final(`c=biws,r=${both},p=${other.toString('base64')}`)).toEqual({ outcome: 'wrong' })
    }
  })

  test('is malformed with another nonce, another channel, or a final message that comes twice', () => {
    expect(begun().final(`c=biws,r=${both}x,p=${proof}`).outcome).toBe('malformed')
    expect(begun().final(`c=eSws,r=${both},p=${proof}`).outcome).toBe('malformed')
    const server = begun()
    server.final(`c=biws,r=${both},p=${proof}`)
    expect(server.final(`c=biws,r=${both},p=${proof}`).outcome).toBe('malformed')
  })
})

describe('client and server', () => {
  const binding = createHash('sha256').update('certificate').digest()

  test('agree, and each proves itself', async () => {
    const { client, answer } = await meet({})
    expect(answer).toMatchObject({ outcome: 'continue' })
    expect(client.verify((answer as { message: string }).message)).toBe(true)
  })

  test('bind to the certificate where both can', async () => {
    const { client, answer } = await meet({ binding })
    expect(client.mechanism).toBe(mechanisms.plus)
    expect(answer).toMatchObject({ outcome: 'continue' })
  })

  test('part where each sees another certificate', async () => {
    const { answer } = await meet({ binding, seen: createHash('sha256').update('another').digest() })
    expect(answer).toEqual({ outcome: 'malformed', reason: 'channel binding does not match' })
  })

  test('part where someone took the offer of channel binding away', async () => {
    const server = createScramServer({ verifier, nonce: nonce(), binding })
    const client = createScramClient({
      secret: testUser.password,
      nonce: nonce(),
      offered: [mechanisms.plain],
      overTls: true,
      binding,
    })!
    expect(server.first(client.mechanism, client.first)).toEqual({
      outcome: 'malformed',
      reason: 'the client did not see that channel binding was offered',
    })
  })

  test('part on a wrong password', async () => {
    expect((await meet({ secret: 'another' })).answer).toEqual({ outcome: 'wrong' })
  })

  test('part in the same way where the user is not known', async () => {
    const server = mockVerifier(randomBytes(32), 'nobody')
    expect((await meet({ server })).answer).toEqual({ outcome: 'wrong' })
  })

  test('a server that does not know the verifier does not convince the client', async () => {
    const { client } = await meet({})
    expect(client.verify(`v=${randomBytes(32).toString('base64')}`)).toBe(false)
    expect(client.verify('v=')).toBe(false)
    expect(client.verify('e=other-error')).toBe(false)
  })

  test('a client that has not answered yet is convinced by nothing', () => {
    const client = createScramClient({ secret: 'x', nonce: 'n', offered: [mechanisms.plain], overTls: false })!
    expect(client.verify('v=')).toBe(false)
    expect(client.verify('')).toBe(false)
  })

  test.each([
    ['a nonce that is not an answer to ours', 'r=abc,s=AAAA,i=4096'],
    ['our own nonce and nothing more', 'r=ours,s=AAAA,i=4096'],
    ['no salt', 'r=oursandmore,s=,i=4096'],
    ['a salt that is not base64', 'r=oursandmore,s=!!!!,i=4096'],
    ['no rounds', 'r=oursandmore,s=AAAA,i=0'],
    ['rounds for a year', 'r=oursandmore,s=AAAA,i=999999999'],
    ['nothing', ''],
  ])('a client does not go on with %s', async (_, first) => {
    const client = createScramClient({ secret: 'x', nonce: 'ours', offered: [mechanisms.plain], overTls: false })!
    expect(await client.final(first)).toHaveProperty('problem')
  })

  test('a client that is offered nothing that it speaks says nothing', () => {
    const config = { secret: 'x', nonce: 'n', overTls: false }
    expect(createScramClient({ ...config, offered: ['SCRAM-SHA-1', mechanisms.plus] })).toBeUndefined()
  })
})

describe('keys that are remembered', () => {
  const terms = { secret: 'a', salt: Buffer.from('salt'), iterations: 3 }

  test('are made once for what a server asks for, and are those that would be made anew', async () => {
    const keysOf = createKeyRing(4)
    const keys = await keysOf(terms)
    expect(keys).toEqual(await makeKeys(terms))
    expect(await keysOf({ ...terms, salt: Buffer.from('salt') })).toBe(keys)
  })

  test.each([{ secret: 'b' }, { salt: Buffer.from('other') }, { iterations: 4 }])(
    'are other ones for %j',
    async (other) => {
      const keysOf = createKeyRing(4)
      const keys = await keysOf(terms)
      const others = await keysOf({ ...terms, ...other })
      expect(others).not.toEqual(keys)
      expect(others).toEqual(await makeKeys({ ...terms, ...other }))
    },
  )

  test('are forgotten when there are many', async () => {
    const keysOf = createKeyRing(4)
    const keys = await keysOf(terms)
    for (let iterations = 4; iterations < 14; iterations++) await keysOf({ ...terms, iterations })
    expect(await keysOf(terms)).not.toBe(keys)
  })
})

describe('an unknown user', () => {
  const secret = randomBytes(32)

  test('has the same salt each time, and another one than others', () => {
    expect(mockVerifier(secret, 'a')).toEqual(mockVerifier(secret, 'a'))
    expect(mockVerifier(secret, 'a').salt).not.toEqual(mockVerifier(secret, 'b').salt)
    expect(mockVerifier(randomBytes(32), 'a').salt).not.toEqual(mockVerifier(secret, 'a').salt)
  })

  test('looks like a known one', () => {
    const mock = mockVerifier(secret, 'a')
    expect(mock.iterations).toBe(verifier.iterations)
    expect(mock.salt).toHaveLength(verifier.salt.length)
  })
})

test.each([
  ['', 'n,,n=,r=abc', 'a mechanism not offered'],
  ['SCRAM-SHA-256-PLUS', 'p=tls-server-end-point,,n=,r=abc', 'a mechanism not offered'],
  ['SCRAM-SHA-256', 'p=tls-server-end-point,,n=,r=abc', 'channel binding with a mechanism that has none'],
  ['SCRAM-SHA-256', 'n,a=root,n=,r=abc', 'an authorization identity, which is not supported'],
  ['SCRAM-SHA-256', 'n,,m=x,n=,r=abc', 'no user name and nonce'],
  ['SCRAM-SHA-256', 'n,,n=,r=', 'no user name and nonce'],
  ['SCRAM-SHA-256', '', 'no GS2 header'],
])('a first message with %j and %j is malformed', (mechanism, message, reason) => {
  const server = createScramServer({ verifier, nonce: nonce() })
  expect(server.first(mechanism, message)).toEqual({ outcome: 'malformed', reason })
})

test('no message of a client makes the server throw or let it in', () => {
  const texts = fc.oneof(fc.string(), fc.constantFrom('n,,n=,r=abc', 'c=biws,r=abc,p=AAAA', 'y,,', 'p=,,,'))
  fc.assert(
    fc.property(texts, texts, (first, final) => {
      const server = createScramServer({ verifier, nonce: 'ours' })
      server.first(mechanisms.plain, first)
      expect(server.final(final).outcome).not.toBe('continue')
    }),
  )
})

test.each(['', 'md5abc', 'SCRAM-SHA-256$0:AAAA$AAAA:AAAA', 'SCRAM-SHA-256$4096:AAAA$short:short'])(
  'a stored %j is no verifier',
  (text) => {
    expect(readVerifier(text)).toBeUndefined()
  },
)
