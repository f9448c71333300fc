import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/databases.ts'
import {
  identifierFault,
  identifierList,
  integer,
  keywords,
  quoteIdentifier,
  quoteLiteral,
  renderSql,
} from './sql-file.ts'

const folder = new URL('./sql/', import.meta.url)
const files = readdirSync(folder)

describe('the files', () => {
  test.each(files)('%s says in its first line what it is for, and has comments on lines of their own only', (name) => {
    const lines = readFileSync(new URL(name, folder), 'utf8').split('\n')
    expect(lines[0]).toMatch(/^-- \S/)
    expect(lines.filter((line) => !line.startsWith('--') && line.includes('--'))).toEqual([])
    expect(lines.join('\n')).not.toContain('/*')
  })
})

describe('rendering', () => {
  test('puts identifiers, literals and fragments where psql would', () => {
    const text = `-- of :"login"\nALTER ROLE :"login" CONNECTION LIMIT :limit VALID UNTIL :'until' -- no\n`.replace(
      ' -- no',
      '',
    )
    expect(renderSql(text, { login: 'a"b', limit: integer(5), until: "it's" })).toBe(
      `ALTER ROLE "a""b" CONNECTION LIMIT 5 VALID UNTIL 'it''s'`,
    )
  })

  test('leaves casts alone', () =>
    expect(renderSql('SELECT $1::text, a.b::regclass', {})).toBe('SELECT $1::text, a.b::regclass'))

  test('refuses a missing value, a value too many, and one of another form', () => {
    expect(() => renderSql('DROP ROLE :"login"', {})).toThrow(':"login" has no value')
    expect(() => renderSql('SELECT 1', { login: 'x' })).toThrow('no such variable: login')
    expect(() => renderSql('LIMIT :limit', { limit: '5; DROP ROLE x' })).toThrow(':limit has no value of its form')
    expect(() => renderSql('DROP ROLE :"toString"', {})).toThrow(':"toString" has no value')
  })

  test('does not look for variables inside a value', () =>
    expect(renderSql(':"a" :"b"', { a: ':"b"', b: '$&$1' })).toBe('":""b""" "$&$1"'))

  test('keeps a value with a line break out of comments', () => {
    const rendered = renderSql('-- drops :"login"\nDROP ROLE :"login"', { login: 'x\n; DROP ROLE y' })
    expect(rendered).toBe('DROP ROLE "x\n; DROP ROLE y"')
  })

  test('takes only whole numbers and key words as bare text', () => {
    expect(() => integer(1.5)).toThrow(RangeError)
    expect(() => integer(Number.NaN)).toThrow(RangeError)
    for (const word of ['SELECT; DROP', 'select', 'A--', '', 'A ']) expect(() => keywords(word)).toThrow(RangeError)
    expect(identifierList(['a', 'b"c']).sql).toBe('"a", "b""c"')
  })
})

describe('against a server', () => {
  let database: TestDatabase
  let client: pg.Client
  beforeAll(async () => {
    database = await createTestDatabase('target')
    client = new pg.Client({ connectionString: database.url })
    await client.connect()
  })
  afterAll(async () => {
    await client.end()
    await database.drop()
  })

  const awkward = fc.string({
    unit: fc.constantFrom(
      '"',
      "'",
      '\\',
      ';',
      '-',
      '$',
      '\n',
      '\r',
      '\t',
      ':',
      'é',
      '’',
      '😀',
      'a',
      ' ',
      '\u202e',
      '%',
    ),
    maxLength: 30,
  })

  test.each(['on', 'off'])('a literal means itself with standard_conforming_strings %s', async (setting) => {
    await client.query(
      `SET standard_conforming_strings = ${setting}; SET escape_string_warning = off; SET backslash_quote = off`,
    )
    await fc.assert(
      fc.asyncProperty(awkward, async (value) => {
        const { rows } = await client.query<{ value: string }>(`SELECT ${quoteLiteral(value)} AS value`)
        expect(rows).toEqual([{ value }])
      }),
    )
    await client.query('RESET ALL')
  })

  test('an identifier names what it says, or is refused', async () => {
    await fc.assert(
      fc.asyncProperty(awkward, async (name) => {
        if (identifierFault(name) !== undefined) {
          expect(() => quoteIdentifier(name)).toThrow(RangeError)
          return
        }
        const { rows } = await client.query(`SELECT 1 AS ${quoteIdentifier(name)}`)
        expect(Object.keys(rows[0])).toEqual([name])
      }),
    )
  })

  test('a name is refused where PostgreSQL would cut it to another', () => {
    expect(quoteIdentifier('a'.repeat(63))).toHaveLength(65)
    expect(() => quoteIdentifier('a'.repeat(64))).toThrow('longer than 63 bytes')
    expect(() => quoteIdentifier('é'.repeat(32))).toThrow('longer than 63 bytes')
    expect(() => quoteIdentifier('')).toThrow('is empty')
    expect(() => quoteIdentifier('a\0b')).toThrow('NUL')
    expect(() => quoteIdentifier('\ud800')).toThrow('not well-formed')
    expect(() => quoteLiteral('a\0b')).toThrow('NUL')
  })
})
