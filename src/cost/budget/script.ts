/**
 * What Redis does with budgets, in its own language: one script, so that each step is one round trip and nobody sees
 * half of it. Amounts are whole nano-USD, which a double holds exactly up to nine million dollars.
 *
 * Keys: the epoch, the leases, a reservation, then the counters. Reservations of gateways that are gone are found by
 * their lease, so their keys are not declared; the hash tag that all keys share keeps them on one node.
 *
 * The epoch is the life of one memory: a Redis that lost its own, or came up with an older one, does not know the
 * script any more, gets a new epoch with it, and counters of any other are as good as absent.
 */
export const SCRIPT = `
local op, input = ARGV[1], cjson.decode(ARGV[2])
local EPOCH, LEASES, RECORD = KEYS[1], KEYS[2], KEYS[3]
local FRESH_MS, SETTLED_MS, RECORD_MS, GRACE_MS = 2000, 3600000, 172800000, 86400000
local REAPED = 20

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function int(number) return string.format('%.0f', number) end

local epoch = redis.call('GET', EPOCH)
local begun = epoch and tonumber(string.match(epoch, '^%d+')) or 0
if not epoch or (op == 'begin' and math.abs(now - begun) > FRESH_MS) then
  epoch = int(now) .. ':' .. input.id
  redis.call('SET', EPOCH, epoch)
end
if op == 'begin' then return epoch end

-- A gateway of the version before tells no part of a limit.
local function read(key)
  local f = redis.call('HMGET', key, 'epoch', 'gen', 'spent', 'reserved', 'loaded', 'told', 'told_ratio')
  if f[1] ~= epoch then return nil end
  return { key = key, gen = f[2], spent = tonumber(f[3]), reserved = tonumber(f[4]),
    loaded = tonumber(f[5]), told = tonumber(f[6]), toldRatio = tonumber(f[7] or 0) }
end

local function create(key, spent, endsAt)
  redis.call('DEL', key)
  redis.call('HSET', key, 'epoch', epoch, 'gen', input.id, 'spent', int(spent), 'reserved', '0',
    'loaded', int(now), 'told', '0', 'told_ratio', '0')
  redis.call('PEXPIREAT', key, int(endsAt + GRACE_MS))
  return read(key)
end

local function book(counter, reserved, spent)
  counter.reserved = counter.reserved + reserved
  counter.spent = counter.spent + spent
  if reserved ~= 0 then redis.call('HINCRBY', counter.key, 'reserved', int(reserved)) end
  if spent ~= 0 then redis.call('HINCRBY', counter.key, 'spent', int(spent)) end
end

local function load(key)
  local text = redis.call('GET', key)
  return text and cjson.decode(text)
end

-- As text, since cjson writes no more than 14 digits of a number.
local function save(key, record, ttl)
  redis.call('SET', key, cjson.encode(record), 'PX', ttl)
end

local function reap()
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', int(now), 'LIMIT', 0, REAPED)) do
    redis.call('ZREM', LEASES, key)
    local record = load(key)
    if record and record.state == 'open' then
      local amount = tonumber(record.amount)
      for _, held in ipairs(record.held) do
        local counter = read(held[1])
        if counter and counter.gen == held[2] then book(counter, -amount, amount) end
      end
      record.state = 'lapsed'
      save(key, record, RECORD_MS)
    end
  end
end

local function figures(counters)
  local list = {}
  for i = 1, #input.counters do
    local counter = counters[i]
    list[#list + 1] = counter and int(counter.spent) or false
    list[#list + 1] = counter and int(counter.reserved) or false
  end
  return list
end

-- The least that a hard limit leaves beside what is held, and whose that is.
local function headroomOf(counters)
  local headroom, tightest = math.huge, 0
  for i, asked in ipairs(input.counters) do
    if asked.hard then
      local room = asked.limit - counters[i].spent - counters[i].reserved
      if room < headroom then headroom, tightest = room, i end
    end
  end
  return headroom, tightest
end

local function hold(counters, amount)
  local held = {}
  for i, counter in ipairs(counters) do
    book(counter, amount, 0)
    held[i] = { counter.key, counter.gen }
  end
  save(RECORD, { state = 'open', amount = int(amount), held = held }, RECORD_MS)
  redis.call('ZADD', LEASES, int(now + input.lease), RECORD)
  return { 'granted', int(amount), figures(counters) }
end

local function reserve()
  if load(RECORD) then return { 'over' } end
  local counters, absent = {}, {}
  for i, asked in ipairs(input.counters) do
    local key = KEYS[3 + i]
    local counter = read(key)
    if not counter and asked.init and input.epoch == epoch then
      counter = create(key, asked.init, asked.ends)
    end
    counters[i] = counter or false
    if not counter then absent[#absent + 1] = i end
  end
  if #absent > 0 then return { 'absent', epoch, absent } end
  for i, asked in ipairs(input.counters) do
    if asked.hard and asked.limit - counters[i].spent < input.least then
      return { 'exceeded', i, figures(counters) }
    end
  end
  local headroom, tightest = headroomOf(counters)
  if tightest == 0 then return hold(counters, input.most) end
  if headroom >= input.wanted then
    local share = math.floor(headroom / input.shares)
    return hold(counters, math.min(input.most, math.max(input.wanted, share)))
  end
  if not input.last and counters[tightest].reserved > 0 then
    return { 'short', tightest, figures(counters) }
  end
  if headroom < input.least then return { 'exceeded', tightest, figures(counters) } end
  return hold(counters, headroom)
end

local function extend()
  local record, counters = load(RECORD), {}
  if not record or record.state ~= 'open' then return { 'over' } end
  local amount = tonumber(record.amount)
  for i, held in ipairs(record.held) do
    counters[i] = read(held[1])
    if not counters[i] or counters[i].gen ~= held[2] then return { 'over' } end
  end
  local more = math.min(input.most - amount, (headroomOf(counters)))
  if more > 0 then
    for _, counter in ipairs(counters) do book(counter, more, 0) end
    amount = amount + more
    record.amount = int(amount)
    save(RECORD, record, RECORD_MS)
  end
  return { 'granted', int(amount), figures(counters) }
end

-- Money of a reservation that is not known is in what the ledger said, unless that was asked before it was there.
local function settle()
  local record = load(RECORD)
  if record and record.state == 'settled' then return { 'over' } end
  local amount = record and tonumber(record.amount)
  local counters, crossed = {}, {}
  for i, asked in ipairs(input.counters) do
    local counter = read(KEYS[3 + i])
    local held = record and record.held[i]
    if counter and held and held[2] == counter.gen then
      if record.state == 'open' then book(counter, -amount, input.spent)
      else book(counter, 0, input.spent - amount) end
    elseif counter and counter.loaded < input.made + input.margin then
      book(counter, 0, input.spent)
    end
    counters[i] = counter or false
    for j, threshold in ipairs(asked.thresholds) do
      local ratio, amount = threshold[1], threshold[2]
      if counter and counter.spent >= amount and (amount > counter.told or ratio > counter.toldRatio) then
        counter.told, counter.toldRatio = math.max(amount, counter.told), math.max(ratio, counter.toldRatio)
        crossed[#crossed + 1] = { i, j }
        redis.call('HSET', counter.key, 'told', int(counter.told),
          'told_ratio', string.format('%.17g', counter.toldRatio))
      end
    end
  end
  redis.call('ZREM', LEASES, RECORD)
  save(RECORD, { state = 'settled' }, SETTLED_MS)
  return { 'settled', figures(counters), crossed }
end

-- Holds and makes nothing.
local function look()
  local counters = {}
  for i = 1, #input.counters do counters[i] = read(KEYS[3 + i]) or false end
  return { 'seen', figures(counters) }
end

reap()
if op == 'look' then return look() end
if op == 'reserve' then return reserve() end
if op == 'extend' then return extend() end
if op == 'settle' then return settle() end
for _, key in ipairs(input.open) do redis.call('ZADD', LEASES, 'XX', int(now + input.lease), key) end
return { 'renewed' }
`;
