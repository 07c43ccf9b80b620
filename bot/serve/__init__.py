"""`bot serve`: watching runs from a browser, a program or Prometheus; a process of its own.

Rules: it reads runs' folders, live or finished, and asks a daemon for something only the way the
commands do; every figure comes from a run's record or from what status and report work out; no read
of a record takes long (`feed/`). The daemon never imports this, never waits for it, and opens no port.

command     `bot serve`: the process, its address and its links
app         the application: guard, addresses, errors
site        what lasts from one request to the next, over one folder of runs
problems    what went wrong, as application/problem+json
access      who may ask: token, one-time links, cookies, hosts, headers
feed        following the folders of runs: what is known of each, and what has changed
api         version 1 for programs: tables by page, in JSON, CSV or Arrow; commands; metrics
page        for the browser alone: series made small enough to draw
static      the page: HTML, CSS and ES modules, as they are
"""
