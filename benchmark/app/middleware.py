"""What the server answers to nobody, and what it tells browsers not to do."""

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'"
"""Browsers fetch nothing from other hosts, whatever the page says; its charts evaluate code."""

FETCHING = ("file=http", "file/http", "proxy=", "proxy/")
"""Addresses of Gradio's by which anybody could have the server fetch from other hosts."""


class OwnHostOnly:
    """Refuses requests that would have the server fetch something; adds headers to answers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if any(part in scope["path"] for part in FETCHING):
            refused = PlainTextResponse("nothing is fetched from other hosts", 403)
            await refused(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = POLICY
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "no-referrer"
            await send(message)

        await self.app(scope, receive, send_with_headers)
