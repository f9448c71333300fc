/**
 * Text as it may reach a terminal. Reasons, comments and names come from other people: left as they are, they could
 * move the cursor, recolour what follows, or read backwards, and so rewrite what an approver sees.
 */

/** Line breaks and tabs, which would fake lines and columns of ours. */
const layout = /[\t\n\v\f\r\u0085\u2028\u2029]+/g
/** Control and format characters and lone surrogates; the two joiners stay, as scripts and emoji need them. */
const invisible = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}]/gu

/** One line of plain text: layout becomes a space, everything else that does not print is left out. */
export const plain = (text: string): string => text.replace(layout, ' ').replace(invisible, '')

/** What does not show, or looks like a blank and is none. */
const unseen = /(?! )[\p{C}\p{Zs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u

/** A stretch of text as it is, or one character of it that cannot be seen, by its number. */
export type Visible = { readonly text: string; readonly isNamed: boolean }

/**
 * Text that someone has to judge before it is run: nothing of it is left out. What a terminal would act on, or not
 * show, stands there by its number, such as `<U+202E>`. Without its line breaks.
 */
export function visible(line: string): readonly Visible[] {
  const stretches: { text: string; isNamed: boolean }[] = []
  for (const character of line) {
    const isNamed = unseen.test(character)
    const last = stretches.at(-1)
    const text = isNamed ? `<U+${hex(character)}>` : character
    if (last?.isNamed === isNamed) last.text += text
    else stretches.push({ text, isNamed })
  }
  return stretches
}

const hex = (character: string): string => (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')

const tokenForm = /(tdg|tge|td[acdrs])_[\w-]{20,}/g

/** For messages about input: whoever pastes a token into the wrong place does not find it in a log afterwards. */
export const withoutTokens = (text: string): string => text.replace(tokenForm, '$1_…')

export const jsonText = (value: unknown, indent: number): string =>
  withoutInvisible(JSON.stringify(value, undefined, indent))

/**
 * The same JSON for a terminal. What is below U+0020 is escaped in any; the rest of what a terminal acts on is escaped
 * here.
 */
export const withoutInvisible = (json: string): string =>
  json.replace(/(?!\n)[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )

/** At most `width` characters, the last of them an ellipsis where something was cut. */
export function shorten(text: string, width: number): string {
  const characters = [...plain(text)]
  return characters.length <= width ? characters.join('') : `${characters.slice(0, width - 1).join('')}…`
}
