/** The words that the demo's products, orders and warehouses are made of. */
export const CATEGORIES = [
  { prefix: 'FST', name: 'fasteners', nouns: ['hex bolt M8', 'lock nut', 'wood screw', 'threaded rod', 'washer Ø 12'] },
  { prefix: 'PWR', name: 'power tools', nouns: ['drill', 'angle grinder', 'jigsaw', 'heat gun', 'compressor'] },
  { prefix: 'ELC', name: 'electrical', nouns: ['cable drum', 'switch', 'relay 24 V', 'LED panel', 'fuse box'] },
  { prefix: 'FRN', name: 'furniture', nouns: ['desk', 'shelf', 'office chair', 'café table', 'locker'] },
  { prefix: 'SAF', name: 'safety', nouns: ['helmet', 'gloves', 'goggles', 'ear protection', 'first-aid kit'] },
  { prefix: 'PKG', name: 'packaging', nouns: ['carton', 'stretch film', 'pallet 800 × 1200', 'tape', 'label roll'] },
] as const

export const ADJECTIVES = [
  'compact',
  'heavy-duty',
  'galvanised',
  'professional',
  'light',
  'reinforced',
  'quiet',
] as const

export const LONG_TEXT =
  'Tested to EN 60335; suitable for indoor and outdoor use between −20 °C and +45 °C. Spare parts are kept for ten years. '

export const ORDER_NOTES = [
  'Deliver to the rear entrance',
  'Bitte vor Lieferung anrufen',
  'Livraison le matin uniquement',
  'Zostawić u sąsiada',
  'Partial delivery accepted',
  'Proszę o fakturę na firmę – dział zakupów 📦',
] as const

export const STOCK_LOCATIONS = ['Hamburg', 'Lyon', 'Gdańsk', 'Barcelona', 'Leeds'] as const
