/**
 * The value of a search `sku:…` (shopify.dev, "Shopify API search syntax"): a word or a quotation; a backslash escapes.
 * Throws for what it does not know, so that a query that means something else is seen.
 */
export function searchedSku(query: string): string {
  const match = /^sku:(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"'():\\]+))$/s.exec(query)
  if (!match) throw new Error(`the sandbox cannot read this search: ${query}`)
  return (match[1] ?? match[2] ?? match[3]!).replace(/\\(.)/gs, '$1')
}

/** A search compares words, whatever their case and what stands between them. */
export function skuMatches(sku: string, wanted: string): boolean {
  const words = (text: string) =>
    ` ${text
      .toLowerCase()
      .split(/[^\p{L}\p{N}]+/u)
      .filter(Boolean)
      .join(' ')} `
  return words(sku).includes(words(wanted))
}
