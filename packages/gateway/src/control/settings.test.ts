import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Certificates, makeCertificates } from '../postgres/testing/certificates.ts'
import { addressOf, checkNetwork } from './settings.ts'

let made: Certificates
beforeAll(async () => {
  made = await makeCertificates()
})
afterAll(() => made.remove())

const at = (host: string) => ({ host, port: 6432 })

describe('a gateway without TLS', () => {
  test.each(['127.0.0.1', '127.8.0.1', '::1', 'localhost'])('may listen on %s', (host) => {
    checkNetwork({ listen: at(host) })
    expect(addressOf({ listen: at(host) }, 7)).toEqual({ host, port: 7, tls: 'disable' })
  })

  test.each(['0.0.0.0', '::', '192.0.2.1', 'gateway.example'])('may not listen on %s', (host) => {
    expect(() => checkNetwork({ listen: at(host) })).toThrow('without TLS')
  })

  test('may not say that clients reach it from elsewhere', () => {
    expect(() => checkNetwork({ listen: at('127.0.0.1'), advertise: at('gateway.example') })).toThrow('without TLS')
  })
})

describe('a gateway with TLS', () => {
  test('listens anywhere, and is reached by a name of its certificate', () => {
    const tls = { ...made.server, ca: made.ca }
    const network = { listen: at('0.0.0.0'), advertise: at('localhost'), tls }
    checkNetwork(network)
    expect(addressOf(network, 7)).toEqual({ host: 'localhost', port: 6432, tls: 'verify-full', ca: made.ca })
  })

  test('is refused where no client that looks would connect', () => {
    const tls = made.server
    expect(() => checkNetwork({ listen: at('0.0.0.0'), tls })).toThrow('Clients cannot connect to 0.0.0.0')
    const elsewhere = { listen: at('0.0.0.0'), advertise: at('gateway.example'), tls }
    expect(() => checkNetwork(elsewhere)).toThrow('not for gateway.example')
  })

  test('is refused with a key and a certificate that do not fit, and with an authority that is none', () => {
    const listen = at('localhost')
    expect(() => checkNetwork({ listen, tls: { ...made.server, key: 'no key' } })).toThrow('TLS cannot be served')
    expect(() => checkNetwork({ listen, tls: { ...made.server, ca: 'no authority' } })).toThrow('TLS cannot be served')
  })
})
