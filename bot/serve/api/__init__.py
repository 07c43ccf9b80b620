"""Version 1 for programs: what runs did and how they fare, paged by cursor; commands; metrics.

v1          the addresses under /api/v1 that read
asking      those that ask a daemon for something, links, and the stream of changes
schemas     what they answer, as OpenAPI describes it
asked       parts of a request that several addresses read: times and cursors
tables      a run's tables by page
forms       rows as JSON, CSV or Arrow, as `Accept` asks
status      a run's status as JSON
models      a run's models with their manifests
commands    pause, resume, flatten, set: confirmed, then asked as the commands ask
health      /healthz, /readyz
metrics     /metrics, for Prometheus
"""
