"""The page that shows the application: a terminal in the browser, loaded only from files on this machine."""

import html

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' {socket}; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The terminal sets inline styles; no script runs except the served files."""

FOCUS = """
"use strict";
// Give the terminal keyboard focus at once, without a click.
new MutationObserver((_, observer) => {
  const keys = document.querySelector(".xterm-helper-textarea");
  if (keys && document.body.classList.contains("-first-byte")) {
    keys.focus();
    observer.disconnect();
  }
}).observe(document.documentElement, { attributes: true, childList: true, subtree: true });
"""
"""A separate script, since the policy allows no inline scripts."""

_STYLE = """
@font-face { font-family: "Roboto Mono"; src: url("/static/fonts/RobotoMono-VariableFont_wght.ttf"); }
html, body { height: 100%; margin: 0; background: #121212; color: #e0e0e0; font: 16px "Roboto Mono", monospace; }
#terminal { position: absolute; inset: 0; }
.ended { display: none; position: absolute; inset: 0; place-content: center; text-align: center; }
.ended { background: #121212; z-index: 1; }
body.-closed .ended { display: grid; }
#terminal .xterm-viewport { overflow-y: hidden; }
a { color: #7db3ff; }
p { padding: 1rem; }
"""


def page(title: str, socket: str) -> str:
    """The page's HTML.

    Args:
        title: the browser tab's title; may be untrusted text.
        socket: URL of the WebSocket to the application.
    """
    terminal = (
        f'<div id="terminal" class="textual-terminal" data-session-websocket-url="{html.escape(socket)}" '
        'data-font-size="16"></div>'
    )
    ended = '<div class="ended">'
    ended += '<p>The review has ended. All decisions are saved.</p><p><a href="/">Continue</a></p></div>'
    head = '<link rel="stylesheet" href="/static/css/xterm.css"><script src="/focus.js"></script>'
    head += '<script src="/static/js/textual.js"></script>'
    return _document(title, head, terminal + ended)


def problem(text: str) -> str:
    """An error page."""
    return _document("llmbatch review", "", f"<p>{html.escape(text)}</p>")


def _document(title: str, head: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style>{head}</head><body>{body}</body></html>"
    )
