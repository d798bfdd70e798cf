-- What wrk sends, and how it reports.  Arguments after "--": MODE TARGET TOKEN [MODIFIED [ETAG]]
--   same      TARGET, the same bytes each time, on a connection that is kept
--   unique    TARGET with a query, a cookie and a referer that were never sent before (TOKEN differs in each run)
--   many      TARGET followed by 0000.txt to 1999.txt, in random order
--   close     as same, a connection for each request
--   pipeline  as same, sixteen requests at a time
--   fresh     as same, conditional: If-Modified-Since, and If-None-Match where the server gave an ETag
--   plain     TARGET with Host as its only field, the same bytes each time
--   path      as unique, and the path after TARGET is new as well
--   post      as same, a POST of 2 KiB

local FILES, DEPTH, BODY = 2000, 16, 2048

-- The fields a browser sends; with Host, which wrk adds, eight.
local function browser()
   return {
      ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
      ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
      ["Accept-Language"] = "en-GB,en;q=0.7,zh-CN;q=0.3",
      ["Referer"] = "http://localhost/page",
      ["Cookie"] = "session=0123456789abcdef; theme=dark",
      ["DNT"] = "1",
      ["Cache-Control"] = "max-age=0",
   }
end

local make = {}

function make.same(target)
   local bytes = wrk.format("GET", target, browser())
   return function() return bytes end
end

function make.plain(target)
   local bytes = wrk.format("GET", target, {})
   return function() return bytes end
end

function make.post(target)
   local fields = browser()
   fields["Content-Type"] = "application/octet-stream"
   local bytes = wrk.format("POST", target, fields, string.rep("x", BODY))
   return function() return bytes end
end

-- Gives the fields a referer and a cookie of their own; returns such a query.
local function renew(fields, own)
   fields["Referer"] = "http://localhost/page/" .. own
   fields["Cookie"] = "session=" .. own .. "; theme=dark"
   return "?n=" .. own
end

function make.unique(target, token)
   local fields, count = browser(), 0
   return function()
      count = count + 1
      return wrk.format("GET", target .. renew(fields, token .. count), fields)
   end
end

function make.path(target, token)
   local fields, count = browser(), 0
   return function()
      count = count + 1
      return wrk.format("GET", target .. "/" .. token .. count .. renew(fields, token .. count), fields)
   end
end

function make.many(target)
   local all = {}
   for i = 1, FILES do
      all[i] = wrk.format("GET", string.format("%s%04d.txt", target, i - 1), browser())
   end
   return function() return all[math.random(FILES)] end
end

function make.close(target)
   local fields = browser()
   fields["Connection"] = "close"
   local bytes = wrk.format("GET", target, fields)
   return function() return bytes end
end

function make.pipeline(target)
   local bytes = string.rep(wrk.format("GET", target, browser()), DEPTH)
   return function() return bytes end
end

function make.fresh(target, _, modified, etag)
   local fields = browser()
   fields["If-Modified-Since"] = modified
   fields["If-None-Match"] = etag
   local bytes = wrk.format("GET", target, fields)
   return function() return bytes end
end

function init(args)                       -- args[0] is the URL
   request = make[args[1]](args[2], args[3], args[4], args[5])
end

function done(summary, latency)
   local e = summary.errors
   io.write(string.format("RESULT %d %d %d %d %d %d %d\n", summary.requests, summary.duration, summary.bytes,
      e.connect + e.read + e.write + e.timeout, e.status, latency:percentile(50), latency:percentile(99)))
end
