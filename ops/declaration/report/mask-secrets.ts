/** Fields whose values are secrets, also where someone put one that does not belong there. */
const SECRET_FIELD =
  /["']?[\w-]*(?:url|uri|fingerprint|passw|pwd|secret|token|credential|private|api_?-?key|access_?-?key|headers|authorization|cookie)[\w-]*["']?\s*:(?=\s|$)\s*/gi
const PLAIN_REFERENCE = /^["']?\$\{[A-Za-z_][A-Za-z0-9_]*\}["']?(?=[\s,}\]]|$)/

/**
 * The text with each secret covered, character by character, so that columns stay: values of fields that hold secrets to the end of
 * their line and of the lines indented below, user and password of any address, and the defaults of references.
 */
export function maskSecrets(text: string): string {
  let secretIndent = -1
  return text
    .split('\n')
    .map((line) => {
      const indent = line.search(/\S/)
      // The entries of a list may stand as far left as the name of the list.
      const isInside = indent === -1 || indent > secretIndent || (indent === secretIndent && /^\s*-(\s|$)/.test(line))
      if (secretIndent >= 0 && isInside) return coverCharacters(line)
      secretIndent = -1
      for (const match of line.matchAll(SECRET_FIELD)) {
        const start = match.index + match[0].length
        const rest = line.slice(start)
        if (PLAIN_REFERENCE.test(rest)) continue
        secretIndent = indent
        return maskInline(line.slice(0, start)) + coverCharacters(rest)
      }
      return maskInline(line)
    })
    .join('\n')
}

function maskInline(line: string): string {
  return line
    .replace(
      /(:\/\/)([^\s@]+)(@)/g,
      (_, before: string, secret: string, after: string) => before + coverCharacters(secret) + after,
    )
    .replace(/(\$\{\w+:-)([^}]*)/g, (_, before: string, secret: string) => before + coverCharacters(secret))
}

/** Every character that is not a space as a dot. */
export function coverCharacters(text: string): string {
  return text.replace(/[^\s]/g, '•')
}
