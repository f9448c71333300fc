import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { say, words } from '../testing/wire.ts'
import {
  type Frame,
  readBind,
  readExecute,
  readFunctionCall,
  readNamed,
  readParse,
  readQuery,
} from './client-messages.ts'
import {
  readAuthentication,
  readBackendKey,
  readError,
  readNegotiation,
  readParameterStatus,
  readStatus,
  readTag,
} from './server-messages.ts'
import { protocol, readStartup } from './startup.ts'
import {
  authenticationSasl,
  backendKeyData,
  cancelRequest,
  errorResponse,
  negotiateProtocolVersion,
  noticeResponse,
  parameterStatus,
  readyForQuery,
  sslRequest,
  startupMessage,
} from './write.ts'

const whole = (buffer: Buffer): Frame => ({ buffer, start: 0, end: buffer.length })

const readers = {
  readQuery,
  readParse,
  readBind,
  readExecute,
  readNamed,
  readFunctionCall,
  readError,
  readTag,
  readStatus,
  readParameterStatus,
  readBackendKey,
  readAuthentication,
  readNegotiation,
}

describe('what a client says is read', () => {
  test('as it was said', () => {
    expect(readQuery(whole(words.query('select 1')))).toEqual({ text: 'select 1', encoding: 'ascii' })
    expect(readQuery(whole(words.query("select 'é'")))).toEqual({ text: "select 'é'", encoding: 'utf8' })
    expect(readQuery(whole(words.query("select '\ufffd'")))?.encoding).toBe('utf8')
    expect(readParse(whole(words.parse('a', 'select $1')))).toMatchObject({ name: 'a', text: { text: 'select $1' } })
    expect(readBind(whole(words.bind('p', 's', 'one', '')))).toEqual({
      portal: 'p',
      statement: 's',
      parameters: ['one', ''],
    })
    expect(readExecute(whole(words.execute('p', 7)))).toEqual({ portal: 'p', maxRows: 7 })
    expect(readNamed(whole(words.close('S', 'x')))).toEqual({ what: 'statement', name: 'x' })
  })

  test('with parameters in text, in binary and null, by one format for all or one for each', () => {
    const values = [2, Buffer.from('ab'), -1, 1, Buffer.from('c')]
    const each = say('B', '', '', Buffer.from([0, 3, 0, 1, 0, 0, 0, 0, 0, 3]), ...values, Buffer.from([0, 0]))
    expect(readBind(whole(each))?.parameters).toEqual([Uint8Array.from(Buffer.from('ab')), null, 'c'])
    const all = say('B', '', '', Buffer.from([0, 1, 0, 1, 0, 3]), ...values, Buffer.from([0, 0]))
    expect(readBind(whole(all))?.parameters).toEqual([
      Uint8Array.from(Buffer.from('ab')),
      null,
      Uint8Array.from(Buffer.from('c')),
    ])
  })

  test('as invalid where it is not UTF-8', () => {
    const bytes = say('Q', Buffer.from([0x27, 0xff, 0x27, 0]))
    expect(readQuery(whole(bytes))?.encoding).toBe('invalid')
  })

  test('not at all with a zero byte within a text, where PostgreSQL would stop reading', () => {
    expect(readQuery(whole(say('Q', 'select 1', '; drop table t')))).toBeUndefined()
    expect(readQuery(whole(say('Q', Buffer.from('select 1'))))).toBeUndefined()
  })

  test('not at all with too many or too few bytes', () => {
    for (const bytes of [words.parse('a', 'b'), words.bind('', '', 'x'), words.execute('p'), words.close('S', 'x')]) {
      const read = { P: readParse, B: readBind, E: readExecute, C: readNamed }[String.fromCharCode(bytes[0]!)]!
      expect(read(whole(bytes))).toBeDefined()
      expect(read(whole(Buffer.concat([bytes, Buffer.from([0])])))).toBeUndefined()
      for (let end = 5; end < bytes.length; end++) expect(read({ buffer: bytes, start: 0, end })).toBeUndefined()
    }
  })

  test('from where it lies, and not from its neighbours', () => {
    const buffer = Buffer.concat([words.query('one'), words.query('two'), words.query('three')])
    const size = words.query('one').length
    expect(readQuery({ buffer, start: size, end: 2 * size })?.text).toBe('two')
    expect(readQuery({ buffer, start: size, end: 2 * size - 1 })).toBeUndefined()
  })
})

test('hostile bodies are malformed and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(70), (body, cut) => {
      const bytes = say('x', Buffer.from(body))
      for (const read of Object.values(readers)) read({ buffer: bytes, start: 0, end: Math.max(5, bytes.length - cut) })
      readStartup(Buffer.from(body))
    }),
    { numRuns: 2_000 },
  )
})

describe('what we say is read by our own reading', () => {
  test('errors and notices with all their fields', () => {
    const report = { severity: 'FATAL', sqlstate: '57P01', message: 'over', detail: 'd', hint: 'h' } as const
    expect(readError(whole(errorResponse(report)))).toEqual({ severity: 'FATAL', sqlstate: '57P01', message: 'over' })
    expect(noticeResponse(report).toString('latin1')).toContain('\0Dd\0Hh\0\0')
  })

  test('a zero byte in a reason does not end the message early', () => {
    const bytes = errorResponse({ severity: 'ERROR', sqlstate: '42501', message: 'a\0Mb' })
    expect(readError(whole(bytes))?.message).toBe('aMb')
  })

  test('keys of 4 to 256 bytes, and no others', () => {
    for (const size of [4, 32, 256]) {
      const key = Buffer.alloc(size, 7)
      expect(readBackendKey(whole(backendKeyData(12, key)))).toEqual({ processId: 12, key })
      expect(readStartup(cancelRequest(12, key))).toEqual({ type: 'cancel', processId: 12, key })
    }
    for (const size of [0, 3, 257]) {
      expect(readBackendKey(whole(backendKeyData(12, Buffer.alloc(size))))).toBeUndefined()
      expect(readStartup(cancelRequest(12, Buffer.alloc(size))).type).toBe('malformed')
    }
  })

  test('the rest', () => {
    expect(readStatus(whole(readyForQuery('T')))).toBe('in-transaction')
    expect(readParameterStatus(whole(parameterStatus('a', 'b')))).toEqual({ name: 'a', value: 'b' })
    expect(readAuthentication(whole(authenticationSasl(['x', 'y'])))).toEqual({ step: 'sasl', mechanisms: ['x', 'y'] })
    expect(readNegotiation(whole(negotiateProtocolVersion(protocol.v30, ['_pq_.x'])))).toEqual({
      version: protocol.v30,
      unknownOptions: ['_pq_.x'],
    })
    expect(readStartup(sslRequest())).toEqual({ type: 'ssl' })
    const parameters = new Map([
      ['user', 'alice'],
      ['database', 'd'],
    ])
    expect(readStartup(startupMessage(parameters))).toEqual({ type: 'startup', version: protocol.v32, parameters })
  })
})

test('a startup parameter that is given twice is malformed, whichever the target would take', () => {
  const body = Buffer.from('user\0alice\0user\0postgres\0\0')
  const head = Buffer.alloc(8)
  head.writeInt32BE(8 + body.length)
  head.writeInt32BE(protocol.v30, 4)
  expect(readStartup(Buffer.concat([head, body])).type).toBe('malformed')
})
