"""HTTP/1.1 for uvicorn (`Config(http=…)`): read with httptools, within limits, and answered as ASGI.

`connection` is the class that uvicorn makes for each client; it has a `reading.Reader`, and an `exchange.Exchange`
for each request; `writing` says how replies look and are sent.
"""
