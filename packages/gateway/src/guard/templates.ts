/**
 * Tells at sight that a text differs from one before it in whole numbers only: what stands around them is compared, and
 * nothing is made of the text. For the few skeletons that are in use at the moment; see skeleton.ts for what one is.
 *
 * A text that is told has exactly that skeleton. What decides over one is characters and their neighbours, and of
 * neighbours only whether they are digits, letters, points or signs: all of them are those of the text that the skeleton
 * was made of, but for how many digits a number has, and which. A piece neither begins nor ends with a digit where a
 * number is next to it, so that a number is all the digits there are, and as many are the same to the grammar.
 */

import { marks } from './skeleton.ts'

export type Templates<T> = {
  readonly find: (text: string) => T | undefined
  /** Does nothing for a skeleton with other literals than small numbers. */
  readonly add: (skeleton: string, value: T) => void
}

type Template<T> = {
  /** What stands before, between and after the numbers. */
  readonly pieces: readonly [string, ...string[]]
  readonly value: T
  /** Found since it was last looked at for somebody else to have its place. */
  isUsed: boolean
}

const [zero, nine] = ['0', '9'].map((digit) => digit.charCodeAt(0)) as [number, number]
const isDigit = (unit: number): boolean => unit >= zero && unit <= nine
/** Of a number that is small to the grammar. */
const digitsMost = 9

export function createTemplates<T>(most: number): Templates<T> {
  const templates: Template<T>[] = []
  let hand = 0

  /** Where more are in use than there is room for, those that have a place keep it for a while. */
  const place = (template: Template<T>): void => {
    const there = templates.length < most ? undefined : templates[hand]
    if (there?.isUsed === true) there.isUsed = false
    else templates[there === undefined ? templates.length : hand] = template
    hand = (hand + 1) % most
  }

  return {
    find(text) {
      for (const template of templates) {
        if (!isOf(text, template.pieces)) continue
        template.isUsed = true
        return template.value
      }
      return undefined
    },
    add(skeleton, value) {
      const [first, ...others] = skeleton.split(marks.small)
      const isPlain = others.length > 0 && !skeleton.includes(marks.string) && !skeleton.includes(marks.large)
      if (first !== undefined && isPlain) place({ pieces: [first, ...others], value, isUsed: true })
    },
  }
}

function isOf(text: string, pieces: Template<unknown>['pieces']): boolean {
  let at = pieces[0].length
  // Most are not: their first number is elsewhere, and a letter tells.
  if (!isDigit(text.charCodeAt(at)) || !text.startsWith(pieces[0])) return false
  for (let i = 1; i < pieces.length; i++) {
    const from = at
    while (isDigit(text.charCodeAt(at))) at++
    const piece = pieces[i] ?? ''
    if (at === from || at > from + digitsMost || !text.startsWith(piece, at)) return false
    at += piece.length
  }
  return at === text.length
}
