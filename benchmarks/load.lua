-- For wrk: sends the bodies of a file, one a line, in turn; prints what it saw as JSON.
-- Arguments: the file; "look" to also count replies that lack a prediction, and to show the first that failed.

local bodies, at = {}, 0
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local headers = { ["Content-Type"] = "application/json" }
  for body in io.lines(args[1]) do
    table.insert(bodies, wrk.format("POST", nil, headers, body))
  end
  empty, first = 0, "" -- global, so that done() can get them
  if args[2] == "look" then
    response = function(status, _, body)
      if status == 200 and not string.find(body, '"choices"', 1, true) then
        empty = empty + 1
      end
      if first == "" and (status ~= 200 or empty == 1) then
        first = string.gsub(string.sub(status .. " " .. body, 1, 200), "%c", " ")
      end
    end
  end
end

function request()
  at = at % #bodies + 1
  return bodies[at]
end

function done(summary, latency, _)
  local without = 0
  for _, thread in ipairs(threads) do
    without = without + thread:get("empty")
    io.write("\nfirst failure: " .. thread:get("first"))
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "longest": %f, "refused": %d, "broken": %d, "empty": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, errors.status, errors.connect + errors.read + errors.write + errors.timeout, without))
end
