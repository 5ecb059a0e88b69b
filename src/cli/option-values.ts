import { InvalidArgumentError } from 'commander'
import { weightMax } from '../schema/run.js'

/** What commands make of the words behind their options; each throws what commander tells together with the option. */

export function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

export function commaList(value: string): string[] {
  const list = value
    .split(',')
    .map(each => each.trim())
    .filter(Boolean)
  if (list.length === 0) throw new InvalidArgumentError('Allowed: names, separated by commas.')
  return list
}

export function wholeNumber(value: string): number {
  return checked(value, { min: 0, isWhole: true, allowed: 'a whole number from 0 to 9007199254740991' })
}

export function countingNumber(value: string): number {
  return checked(value, { min: 1, isWhole: true, allowed: 'a whole number from 1' })
}

export function seconds(value: string): number {
  return checked(value, { min: Number.MIN_VALUE, isWhole: false, allowed: 'a number of seconds above 0' })
}

export function waitSeconds(value: string): number {
  return checked(value, { min: 0, max: 500, isWhole: false, allowed: 'a number of seconds from 0 to 500' })
}

export function share(value: string): number {
  return checked(value, {
    min: Number.MIN_VALUE,
    max: weightMax,
    isWhole: false,
    allowed: `above 0, up to ${weightMax}`,
  })
}

export function defaultWeight(value: string): number {
  return checked(value, { min: 0, max: 2, isWhole: false, allowed: 'a number from 0 to 2' })
}

export function everyNth(value: string): number {
  return checked(value, { min: 2, max: 1_000_000, isWhole: true, allowed: 'a whole number from 2 to 1000000' })
}

export function sheetSteps(value: string): number {
  return checked(value, { min: 2, max: 20, isWhole: true, allowed: 'a whole number from 2 to 20' })
}

export function days(value: string): number {
  return checked(value, { min: 0, isWhole: false, allowed: 'a number of days from 0' })
}

export function portNumber(value: string): number {
  return checked(value, { min: 0, max: 65_535, isWhole: true, allowed: 'a port from 0 to 65535' })
}

/** `mecha=0.3` or `mecha=0,0.5,1`, added to the sliders before. */
export function sliderValues(value: string, before: Record<string, number[]> = {}): Record<string, number[]> {
  const [, key = '', list = ''] = /^([A-Za-z0-9_-]+)=(.*)$/s.exec(value) ?? []
  const values = list.split(',').map(each => (each.trim() === '' ? Number.NaN : Number(each)))
  if (key === '' || values.some(each => !(each >= 0 && each <= 1)))
    throw new InvalidArgumentError('Allowed: slider=position from 0 to 1, e.g. mecha=0.3 or mecha=0,0.5,1.')
  return { ...before, [key]: values }
}

/** `cfg=6.5`, added to the parameters before; the workflow says what the words behind `=` may be. */
export function parameterValues(value: string, before: Record<string, string[]> = {}): Record<string, string[]> {
  const [, name, text = ''] = /^([A-Za-z][A-Za-z0-9_-]{0,63})=(.*)$/s.exec(value) ?? []
  if (name === undefined) throw new InvalidArgumentError('Allowed: parameter=value, e.g. cfg=6.5 or cfg=5,6.5,8.')
  return { ...before, [name]: [...(before[name] ?? []), text] }
}

interface NumberRule {
  min: number
  max?: number
  isWhole: boolean
  allowed: string
}

function checked(text: string, { min, max = Number.MAX_SAFE_INTEGER, isWhole, allowed }: NumberRule): number {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  const isFit = number >= min && number <= max && (!isWhole || Number.isSafeInteger(number))
  if (!isFit) throw new InvalidArgumentError(`Allowed: ${allowed}.`)
  return number
}
