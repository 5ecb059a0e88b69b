/**
 * What needs one look at many lanes. The lanes of a home stand in a sorted set, scored by the time of their last offer; the rest are
 * BullMQ's own keys.
 */

/** KEYS: the lanes. ARGV: prefix, ids. Gives for each id the queue that has it, or nothing. */
export const findScript = `
local lanes = redis.call('ZRANGE', KEYS[1], 0, -1)
local found = {}
for at = 2, #ARGV do
  found[at - 1] = ''
  for _, lane in ipairs(lanes) do
    if redis.call('EXISTS', ARGV[1] .. ':' .. lane .. ':' .. ARGV[at]) == 1 then
      found[at - 1] = lane
      break
    end
  end
end
return found`

/**
 * KEYS: the lanes. ARGV: prefix, time before which an empty lane is forgotten. Gives queue, waiting jobs and the time of the
 * first of them, for each lane.
 */
export const surveyScript = `
local lanes = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local found = {}
for at = 1, #lanes, 2 do
  local base = ARGV[1] .. ':' .. lanes[at] .. ':'
  local waiting = redis.call('LLEN', base .. 'wait')
  local isOld = tonumber(lanes[at + 1]) < tonumber(ARGV[2])
  if waiting == 0 and isOld and redis.call('LLEN', base .. 'active') == 0 then
    redis.call('ZREM', KEYS[1], lanes[at])
    for _, key in ipairs({'events', 'id', 'marker', 'meta', 'stalled', 'stalled-check'}) do
      redis.call('DEL', base .. key)
    end
  else
    local since = false
    if waiting > 0 then
      since = redis.call('HGET', base .. redis.call('LINDEX', base .. 'wait', -1), 'timestamp')
    end
    found[#found + 1] = {lanes[at], waiting, since or '0'}
  end
end
return found`
