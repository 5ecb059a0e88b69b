import t from 'tap'
import { addUp, spendOf } from '../../../src/record/spend.js'

const usd = (amount?: number) => ({ currency: 'USD', ...(amount !== undefined && { amount }) })

t.test('prices add up by currency, and an unknown one is never taken for nothing', async t => {
  t.same(addUp([]), [])
  t.same(addUp([{ price: usd(0.1), pictures: 3 }]), [{ currency: 'USD', amount: 0.3, pictures: 3, unknown: 0 }])
  t.same(addUp([{ price: usd(), pictures: 2 }]), [{ currency: 'USD', pictures: 2, unknown: 2 }])
  t.same(
    addUp([
      { price: usd(0.04), pictures: 2 },
      { price: usd(), pictures: 1 },
      { price: { currency: 'EUR', amount: 1 }, pictures: 1 },
      { price: usd(0), pictures: 1 },
    ]),
    [
      { currency: 'USD', amount: 0.08, pictures: 4, unknown: 1 },
      { currency: 'EUR', amount: 1, pictures: 1, unknown: 0 },
    ],
  )
})

t.test('pictures without a price were not paid for', async t => {
  t.same(spendOf([{}, { price: usd(0.04) }, {}]), [{ currency: 'USD', amount: 0.04, pictures: 1, unknown: 0 }])
  t.same(spendOf([{}, {}]), [])
})
