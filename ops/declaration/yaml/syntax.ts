import { type Document, type ErrorCode, visit } from 'yaml'
import type { Problem } from '../problem.ts'

/** After the first few, errors of syntax are mostly consequences of each other. */
const SYNTAX_PROBLEMS_MAX = 10

/** The parser's own texts repeat what the file holds, which may be a secret: only its codes are used. */
const MEANINGS: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: 'an alias cannot have an anchor or a tag',
  BAD_ALIAS: 'an alias or anchor needs a name',
  BAD_COLLECTION_TYPE: 'the tag does not fit what it stands before',
  BAD_DIRECTIVE: 'a % directive that is not known',
  BAD_DQ_ESCAPE: 'a backslash escape that is not known; double it, or use single quotes',
  BAD_INDENT: 'the indentation does not fit the lines before, or a bracket is not closed',
  BAD_PROP_ORDER: 'anchors and tags stand before the value, after the `-`, `?` or `:`',
  BAD_SCALAR_START: 'a text cannot begin with this character; put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a `key: value` stands where one value is expected; is a quote or a line break missing?',
  BLOCK_IN_FLOW: 'a block cannot stand inside { } or [ ]',
  DUPLICATE_KEY: 'a key stands here twice',
  IMPOSSIBLE: 'this cannot be read',
  KEY_OVER_1024_CHARS: 'a key is longer than 1024 characters',
  MISSING_CHAR: 'something is missing here: a closing quote or bracket, a `:`, a comma or a space',
  MULTILINE_IMPLICIT_KEY: 'a key must stand on one line; is a `:` or an indentation missing?',
  MULTIPLE_ANCHORS: 'a value can have one anchor',
  MULTIPLE_DOCS: 'a second document begins here; a file holds one declaration',
  MULTIPLE_TAGS: 'a value can have one tag',
  NON_STRING_KEY: 'a key must be a text',
  RESOURCE_EXHAUSTION: 'this is nested too deeply to be read',
  TAB_AS_INDENT: 'a tab cannot indent; use spaces',
  TAG_RESOLVE_FAILED: 'tags (`!…`) are not supported; remove it',
  UNEXPECTED_TOKEN: 'something stands here that does not belong; is a quote, a comma or a line break missing?',
}

type At = (offset: number, path: string, message: string) => Problem

/** What keeps a file from being read as YAML 1.2; at most one finding a line, at most ten. */
export function syntaxProblems(document: Document.Parsed, at: At): readonly Problem[] {
  const found = new Map<number, Problem>()
  for (const error of [...document.errors, ...document.warnings]) {
    if (found.size >= SYNTAX_PROBLEMS_MAX) break
    const opening = error.code === 'MISSING_CHAR' ? openingQuote(document, error.pos[0]) : undefined
    const meaning = opening === undefined ? MEANINGS[error.code] : 'this quote is not closed'
    const problem = at(opening ?? error.pos[0], '', `not valid YAML: ${meaning}`)
    if (!found.has(problem.line)) found.set(problem.line, problem)
  }
  const { yaml } = document.directives
  if (yaml.explicit && yaml.version !== '1.2')
    found.set(1, at(0, '', 'the file asks for another version of YAML than 1.2'))
  return [...found.values()]
}

/** Where the quoted text begins that ends at an offset without a quote: the parser tells the end only, often lines below. */
function openingQuote(document: Document.Parsed, end: number): number | undefined {
  let opening: number | undefined
  visit(document, {
    Scalar(_, { type, range }) {
      const isQuoted = type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE'
      if (!isQuoted || !range || range[0] >= end || range[1] < end) return undefined
      opening = range[0]
      return visit.BREAK
    },
  })
  return opening
}
