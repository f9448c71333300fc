import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createGuards } from './guard.ts'
import { limits } from './limits.ts'
import { marks, skeletonOf } from './skeleton.ts'
import { createTemplates } from './templates.ts'

const numbers = fc.oneof(
  fc.nat({ max: 999_999_999 }).map(String),
  fc.constantFrom('0', '007', '999999999', '1000000000', '2147483648', '0000000001', '12345678901', '00000000000'),
  fc.constantFrom('', '1e5', '1E', '0x1F', '1_000', '_1', '1.5', '.5', '1.', 'a1', '1a', '-1', '--1', '$1', `'1'`),
  fc.constantFrom('¹', '²', '§', '١', '１', '𝟙', '1\u0301', '1 ', '1\0', '1/*', '1;2', 'NULL', '1,2', '1\n'),
)
const between = fc.constantFrom(
  ...'SELECT ¦ FROM t WHERE a = ¦ AND b=¦, ¦,¦ ¦-¦- ¦/¦*¦.¦t¦t1 ¦(¦)¦;¦¦ LIMIT ¦_¦\n¦%¦<¦IN (¦1'.split('¦'),
  ...`1234567890 ¦12345678901 ¦'x'`.split('¦'),
)

/** One text, and others with something else in one or all of its places. */
const kin = fc
  .tuple(
    fc.array(between, { minLength: 1, maxLength: 5 }),
    fc.array(fc.infiniteStream(numbers), { minLength: 6, maxLength: 6 }),
  )
  .map(([pieces, fillings]) =>
    fillings.map((filling) => pieces.map((piece) => piece + String(filling.next().value)).join('')),
  )

describe('a template', () => {
  test('tells a text only where it has that very skeleton, and always then', () => {
    const met = { found: 0, passed: 0 }
    fc.assert(
      fc.property(fc.array(kin, { minLength: 1, maxLength: 4 }), (groups) => {
        const templates = createTemplates<string>(limits.templates)
        const added = new Set<string>()
        const texts = groups.flat()
        for (const text of texts) {
          const skeleton = skeletonOf(text)
          const found = templates.find(text)
          if (found === undefined) met.passed++
          else met.found++
          if (found !== undefined) expect(found, text).toBe(skeleton)
          const isKnown = skeleton !== undefined && added.has(skeleton) && added.size <= limits.templates
          const isPlain = !/[§²]/.test(skeleton ?? '')
          if (isKnown && isPlain) expect(found, text).toBe(skeleton)
          if (skeleton === undefined || found !== undefined) continue
          templates.add(skeleton, skeleton)
          added.add(skeleton)
        }
      }),
      { numRuns: 5_000 },
    )
    expect(met.found, 'the property is about something').toBeGreaterThan(500)
    expect(met.passed).toBeGreaterThan(500)
  })

  test.each([`SELECT ${marks.string}, ${marks.small}`, `SELECT ${marks.large}, ${marks.small}`, 'SELECT a'])(
    'is not made of %s',
    (skeleton) => {
      const templates = createTemplates<string>(2)
      templates.add(skeleton, 'found')
      expect(templates.find(skeleton)).toBeUndefined()
      expect(templates.find(skeleton.replaceAll(/[§¹²]/g, '1'))).toBeUndefined()
    },
  )

  test('has a place while it is in use, and gives it up once it is not', () => {
    const templates = createTemplates<number>(2)
    const [a, b, c] = ['a = ¹', 'b = ¹', 'c = ¹'] as const
    const there = (): (number | undefined)[] => ['a = 1', 'b = 1', 'c = 1'].map((text) => templates.find(text))
    templates.add(a, 1)
    templates.add(b, 2)
    templates.add(c, 3)
    expect(there()).toEqual([1, 2, undefined])
    // Each that is in the way is passed over once.
    templates.add(c, 3)
    templates.add(c, 3)
    templates.add(c, 3)
    const places = there()
    expect(places[2]).toBe(3)
    expect(places.filter((place) => place !== undefined)).toHaveLength(2)
  })
})

describe('a guard that tells texts at sight', () => {
  const rules = { readOnly: true, requireWhere: true }

  test('says what one that never saw anything says', async () => {
    const guard = (await createGuards()).guardFor(rules)
    const texts = fc.sample(
      fc.tuple(
        fc.constantFrom('SELECT 1', 'DELETE FROM t WHERE a = 1', 'SELECT a FROM t WHERE b = 1 AND c = 22'),
        numbers,
      ),
      300,
    )
    for (const [text, number] of texts) {
      for (const warm of ['3', '4', '5']) guard.judge(text.replace(/\d+$/, warm))
      const other = text.replace(/\d+$/, () => number)
      expect(guard.judge(other), other).toEqual((await createGuards()).guardFor(rules).judge(other))
    }
  })

  test('still refuses what is longer than can be judged', async () => {
    const guard = (await createGuards()).guardFor({})
    const list = (number: string, items: number): string =>
      `SELECT ${Array.from({ length: items }, () => number).join()}`
    for (const number of ['1', '2', '3']) guard.judge(list(number, 8_000))
    expect(guard.judge(list('123456789', 8_000))).toEqual(
      (await createGuards()).guardFor({}).judge(list('123456789', 8_000)),
    )
    expect(guard.judge(list('123456789', 20_000)).ruling).toBe('refuse')
  })
})
