-- What wrk sends, and how it reports.  Arguments after "--": MODE TARGET TOKEN [MODIFIED [ETAG]]
--   same      TARGET, the same bytes each time, on a connection that is kept
--   unique    TARGET with a query, a cookie and a referer that were never sent before (TOKEN differs in each run)
--   many      TARGET followed by 0000.txt to 1999.txt, in random order
--   close     as same, a connection for each request
--   pipeline  as same, sixteen requests at a time
--   fresh     as same, conditional: If-Modified-Since, and If-None-Match where the server gave an ETag

local FILES, DEPTH = 2000, 16

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

function make.unique(target, token)
   local fields, count = browser(), 0
   return function()
      count = count + 1
      fields["Referer"] = "http://localhost/page/" .. token .. "/" .. count
      fields["Cookie"] = "session=" .. token .. count .. "; theme=dark"
      return wrk.format("GET", target .. "?n=" .. token .. count, fields)
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
