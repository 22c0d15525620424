-- Count a request, unless with the share of the last window there were too many.
-- KEYS: count
-- ARGV: limit, window (s), amount
local limit, length, amount = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000, tonumber(ARGV[3])

local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local window, left = math.floor(clock / length), length - clock % length

local counted, before, present = (redis.call('GET', KEYS[1]) or '0 0 0'):match('^(%d+) (%d+) (%d+)$')
counted, before, present = tonumber(counted), tonumber(before), tonumber(present)
if counted == window - 1 then
  counted, before, present = window, present, 0
elseif counted < window or counted > window + 1 then -- a clock put back a little begins nothing anew
  counted, before, present = window, 0, 0
end

local admitted = math.floor(before * left / length + present) + amount <= limit
if admitted then
  present = present + amount
  local value = string.format('%.0f %d %d', counted, before, present)
  redis.call('SET', KEYS[1], value, 'PX', string.format('%d', left + length))
end
return {admitted and 1 or 0, before, present, left}
