/** Other ways to write the same statement. */

/** Literals, quoted names and comments stay; everything between them may be written otherwise. */
const fixed = /((?:[eE]|[uU]&)?'(?:[^'\\]|''|\\.)*'|(?:[uU]&)?"(?:[^"]|"")*"|\$\$[\s\S]*?\$\$|--[^\n]*|\/\*[\s\S]*\*\/)/

const blanks = [' ', '\n\t', '/**/', ' /* DELETE; */ ', ' -- x\n', '/* /* nested */ */', '\r\n\f']

/** Names that mean the same in quotes, because they are in lower case. */
const names: Readonly<Record<string, readonly string[]>> = {
  customers: ['"customers"', 'U&"\\0063ustomers"', 'U&"cust\\+00006fmers"', 'CUSTOMERS'],
  orders: ['"orders"', 'U&"\\006frders"', 'Orders'],
}

export function mutated(text: string, choices: Iterator<number>): string {
  const choose = <T>(items: readonly [T, ...T[]]): T => items[Number(choices.next().value) % items.length] ?? items[0]
  const recased = (word: string): string => choose([word, word.toUpperCase(), word.toLowerCase(), alternating(word)])
  return text
    .split(fixed)
    .map((part, index) => {
      if (index % 2 === 1) return part
      return part
        .replaceAll(/\b[A-Za-z_]\w*\b/g, (word) => choose([recased(word), ...(names[word] ?? [])]))
        .replaceAll(/ +/g, () => choose(blanks as [string, ...string[]]))
    })
    .join('')
}

const alternating = (word: string): string =>
  [...word].map((letter, index) => (index % 2 === 0 ? letter.toUpperCase() : letter.toLowerCase())).join('')
