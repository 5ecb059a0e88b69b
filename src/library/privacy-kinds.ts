/** Kinds of personal data, as they stand in the text instead of it: `[email]`. */
export type PrivateKind = 'email' | 'phone' | 'card' | 'iban' | 'id' | 'ip' | 'address' | 'url' | 'path' | 'number'
