/** Product → revision, as text: of what the CRM's sandbox tells of `products`. */
export function revisionsAtCrm(objects: readonly unknown[]): Readonly<Record<string, string>> {
  const products = objects as readonly { readonly key: string; readonly value: { readonly revision: number } }[]
  return Object.fromEntries(products.map(({ key, value }) => [key, String(value.revision)]))
}

/** The same of what the store's sandbox tells of `product`. */
export function revisionsAtStore(objects: readonly unknown[]): Readonly<Record<string, string>> {
  const products = objects as readonly { readonly handle: string; readonly productType: string }[]
  return Object.fromEntries(products.map(({ handle, productType }) => [handle, productType]))
}
