/** Checked by the schema of the configuration: `22:00-06:00`, `mon-fri 08:00-18:00`, `sun 00:00-00:00` for a whole day. */
const pattern = /^(?:(\w{3})(?:-(\w{3}))? )?(\d\d):(\d\d)-(\d\d):(\d\d)$/
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/**
 * Pure: whether a server rests at this time of the week. Hours over midnight belong to the day on which they begin.
 * `day` counts from Sunday, 0; `minute` from midnight.
 */
export function isQuiet(hours: readonly string[], { day, minute }: { day: number; minute: number }): boolean {
  return hours.some(text => {
    const found = pattern.exec(text)
    if (!found) return false
    const [, first, last, ...clock] = found
    const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = clock.map(Number)
    const from = fromHour * 60 + fromMinute
    const to = toHour * 60 + toMinute
    const isOn = (day: number) => isBetween(days.indexOf(first ?? 'sun'), days.indexOf(last ?? first ?? 'sat'), day)
    if (from < to) return isOn(day) && minute >= from && minute < to
    return (isOn(day) && minute >= from) || (isOn((day + 6) % 7) && minute < to)
  })
}

/** In a week that goes on after Saturday. */
function isBetween(first: number, last: number, day: number): boolean {
  return first <= last ? day >= first && day <= last : day >= first || day <= last
}
