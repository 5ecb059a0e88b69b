import t from 'tap'
import { hexByColour, nearestColour } from '../../../src/mixing/named-colours.js'

const golden = {
  '#000000': 'black',
  '#FFFFFF': 'white',
  '#ffffff': 'white',
  '#808080': 'grey',
  '#FF0000': 'red',
  '#1A1A2E': 'ink black',
  '#16213E': 'prussian blue',
  '#E94560': 'crimson',
  '#264653': 'petrol blue',
  '#3D5A80': 'denim blue',
  '#6B8F71': 'fern green',
  '#F7B801': 'amber',
  '#8A3325': 'burnt sienna',
}
for (const [hex, name] of Object.entries(golden))
  t.test(`nearestColour calls ${hex} ${name}`, async t => t.equal(nearestColour(hex).name, name))

t.test('nearestColour finds every colour of the table by its own hex', async t => {
  for (const [name, hex] of Object.entries(hexByColour)) t.strictSame(nearestColour(hex), { name, distance: 0 })
  t.ok(Object.keys(hexByColour).length >= 120)
})

t.test('nearestColour measures from 0 to 1', async t => {
  t.equal(nearestColour('#000001').name, 'black')
  t.ok(nearestColour('#010101').distance > 0)
  t.ok(nearestColour('#00FF80').distance < 0.1)
})
