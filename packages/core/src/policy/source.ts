/**
 * Where things stand in Cedar source. Cedar parses; this finds the policies in what it parsed, so that a problem can
 * name its line and column, and measures how deep they go before Cedar sees them.
 */

export type AnnotationPlace = {
  readonly name: string
  /** Offset of the `@`. */
  readonly at: number
}

/** One policy's place in its file. Offsets are in UTF-16 code units from the start of the file. */
export type PolicySource = {
  readonly start: number
  readonly text: string
  /** Offset of `permit` or `forbid`. */
  readonly head: number
  readonly annotations: readonly AnnotationPlace[]
  /** String literals outside annotations. */
  readonly strings: readonly Token[]
  readonly hasSlots: boolean
  readonly operators: number
  readonly nesting: number
}

type Token = { readonly text: string; readonly at: number }

// Cedar's own lexical rules: space, a comment to the end of its line, a string with backslash escapes, names, signs.
const tokenForm = /\s+|\/\/[^\n\r]*|"[^"\\]*(?:\\.[^"\\]*)*"|[\p{L}_][\p{L}\p{N}_]*|\d+|::|&&|\|\||[=!<>]=|./gsu
const trivia = /^(?:\s|\/\/)/u
const operator = /^(?:&&|\|\||[=!<>]=|[<>+*.!-]|if|in|has|like|is|when|unless)$/

const tokensOf = (text: string): Token[] =>
  [...text.matchAll(tokenForm)]
    .map((match) => ({ text: match[0], at: match.index }))
    .filter((t) => !trivia.test(t.text))

/** The policies of a file, in order. Right for text that Cedar parses; for other text only the measures mean something. */
export function scanPolicies(text: string): PolicySource[] {
  const sources: PolicySource[] = []
  let open: Token[] = []
  let depth = 0
  for (const token of tokensOf(text)) {
    open.push(token)
    if (token.text !== ';') continue
    sources.push(describe(text, open, depth))
    // A bracket left open stays counted: what Cedar makes of such text is not known.
    depth = depths(open, depth).after
    open = []
  }
  if (open.length > 0) sources.push(describe(text, open, depth))
  return sources
}

function describe(text: string, tokens: readonly Token[], depthBefore: number): PolicySource {
  const annotations = annotationsOf(tokens)
  const last = tokens.at(-1)
  const start = tokens[0]?.at ?? 0
  const head = tokens[annotations.tokens]
  const body = tokens.slice(annotations.tokens)
  return {
    start,
    text: text.slice(start, last ? last.at + last.text.length : start),
    head: head?.at ?? start,
    annotations: annotations.places,
    strings: body.filter((token) => token.text.startsWith('"')),
    hasSlots: body.some((token) => token.text === '?'),
    operators: body.filter((token) => operator.test(token.text)).length,
    nesting: depths(tokens, depthBefore).deepest,
  }
}

/** Reads `@name` and `@name("value")` from the front. */
function annotationsOf(tokens: readonly Token[]): { places: AnnotationPlace[]; tokens: number } {
  const places: AnnotationPlace[] = []
  let next = 0
  for (let sign = tokens[next]; sign?.text === '@'; sign = tokens[next]) {
    places.push({ name: tokens[next + 1]?.text ?? '', at: sign.at })
    next += tokens[next + 2]?.text === '(' ? 5 : 2
  }
  return { places, tokens: next }
}

function depths(tokens: readonly Token[], before: number): { after: number; deepest: number } {
  let after = before
  let deepest = before
  for (const { text } of tokens) {
    if (text === '(' || text === '[' || text === '{') after++
    else if (text === ')' || text === ']' || text === '}') after = Math.max(0, after - 1)
    deepest = Math.max(deepest, after)
  }
  return { after, deepest }
}

/** Both counted from 1; a column is one character (code point), as Cedar and most compilers count. */
export type Position = { readonly line: number; readonly column: number }

export function positionAt(text: string, offset: number): Position {
  let line = 1
  let lineStart = 0
  for (let end = text.indexOf('\n'); end >= 0 && end < offset; end = text.indexOf('\n', lineStart)) {
    line++
    lineStart = end + 1
  }
  return { line, column: Array.from(text.slice(lineStart, offset)).length + 1 }
}

/** Cedar counts in bytes of UTF-8, JavaScript in UTF-16 code units. */
export function offsetOfByte(text: string, byte: number): number {
  let bytes = 0
  let offset = 0
  for (const character of text) {
    if (bytes >= byte) break
    bytes += utf8Length(character.codePointAt(0) ?? 0)
    offset += character.length
  }
  return offset
}

const utf8Length = (codePoint: number): number =>
  codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4

export function sizeInBytes(text: string): number {
  let bytes = 0
  for (const character of text) bytes += utf8Length(character.codePointAt(0) ?? 0)
  return bytes
}
