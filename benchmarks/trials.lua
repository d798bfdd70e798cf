-- What wrk sends in the trials, and how it reports.  Arguments after "--": the targets, asked for in turn; every
-- fourth request ends its connection.

local CLOSING = 4
local kept, closed, turn = {}, {}, 0

function init(args)                       -- args[0] is the URL
   for i, target in ipairs(args) do
      kept[i] = wrk.format("GET", target, {})
      closed[i] = wrk.format("GET", target, { ["Connection"] = "close" })
   end
end

function request()
   turn = turn + 1
   return (turn % CLOSING == 0 and closed or kept)[turn % #kept + 1]
end

function done(summary)
   local e = summary.errors
   io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, e.connect, e.read, e.write, e.timeout,
      e.status))
end
