import { type MetafieldIn, metafieldViews, withMetafields } from './metafields.ts'
import { answering, type Customer, newId, Refusal, type State } from './state.ts'

interface CustomerIn
  extends Partial<Pick<Customer, 'firstName' | 'lastName' | 'email' | 'phone' | 'note' | 'locale' | 'taxExempt'>> {
  readonly id?: string
  readonly tags?: readonly string[] | null
  readonly metafields?: readonly MetafieldIn[]
}

export function customerView(customer: Customer): object {
  const { email, phone } = customer
  return {
    ...customer,
    ...metafieldViews(customer),
    defaultEmailAddress: email === null ? null : { emailAddress: email },
    defaultPhoneNumber: phone === null ? null : { phoneNumber: phone },
  }
}

function changed(state: State, customer: Customer, { id: _, metafields, tags, ...input }: CustomerIn): Customer {
  const after: Customer = {
    ...customer,
    ...input,
    email: input.email === undefined ? customer.email : (input.email?.toLowerCase() ?? null),
    tags: tags === undefined ? customer.tags : [...new Set(tags ?? [])].sort(),
    metafields: withMetafields(state, customer, 'CUSTOMER', metafields ?? [], ['metafields']),
  }
  if (!after.firstName && !after.lastName && !after.email && !after.phone)
    throw new Refusal('', [], 'A name, phone number, or email address must be present')
  if (after.email !== null && !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(after.email))
    throw new Refusal('', ['email'], `Email ${after.email} is invalid`)
  for (const other of state.customers.values()) {
    if (other.id === after.id) continue
    if (after.email !== null && other.email === after.email)
      throw new Refusal('', ['email'], 'Email has already been taken')
    if (after.phone !== null && other.phone === after.phone)
      throw new Refusal('', ['phone'], 'Phone has already been taken')
  }
  if (after.email !== null && state.rejects(after.email))
    throw new Refusal('', ['email'], `Email ${after.email} is refused`)
  return after
}

export function customerMutations(state: State) {
  const customerOf = (id: string | undefined) => {
    const customer = state.customers.get(id ?? '')
    if (!customer) throw new Refusal('', ['id'], 'Customer does not exist')
    return customer
  }
  const keep = (customer: Customer) => {
    state.customers.set(customer.id, customer)
    return { customer: customerView(customer) }
  }
  return {
    customerCreate: ({ input }: { input: CustomerIn }) =>
      answering(() => {
        const none = { firstName: null, lastName: null, email: null, phone: null, note: null }
        const rest = { locale: 'en', taxExempt: false, tags: [], metafields: new Map() }
        return keep(changed(state, { ...none, ...rest, id: newId(state, 'Customer') }, input))
      }),
    customerUpdate: ({ input }: { input: CustomerIn }) =>
      answering(() => keep(changed(state, customerOf(input.id), input))),
    customerDelete: ({ input }: { input: { id: string } }) =>
      answering(() => {
        const { id } = customerOf(input.id)
        state.customers.delete(id)
        return { deletedCustomerId: id }
      }),
  }
}
