"""Names that would do harm if they were anything but names: printable, up to 200 characters, as ids may be."""

from __future__ import annotations

SHELL = [
    "$(rm -rf ~)",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "&& touch pwned",
    "| touch pwned",
    "> pwned",
    "a' ; touch pwned ; '",
    'a" ; touch pwned ; "',
    "'\"'\"'",
    "\\",
    "a\\",
    "$HOME",
    "${IFS}",
    "$(INITIAL_PEERS)",
    "$$(INITIAL_PEERS)",
    "!history",
    "*",
    "~",
    "~root",
    "#comment",
    "%s%n",
    "{a,b}",
    "<(touch pwned)",
]
OPTIONS = ["-rf", "--new_swarm", "--block_indices=0:1", "-", "--", "-c"]
PATHS = ["../x", "../../../../tmp/x", "/etc/passwd", "..", ".", "C:\\x", "CON", "a/b", "plan.json", ".hidden"]
TEXT = [
    "{{7*7}}",
    "<script>alert(1)</script>",
    "]]>",
    "- a: &x",
    "? {",
    "yes",
    "null",
    "1e3",
    "0x10",
    "```",
    "| a | b |",
    "[link](javascript:x)",
    "@",
    "héllo wörld",
    "日本語",
    "😀",
    "ﬁ",
    "İ",
    "A" * 200,
    "Ω" * 200,
    " leading and trailing ",
    "chain-0",
    "bootstrap",
    "server-0",
    "S0",
    "s0",
    "s0-",
]
HOSTILE = [*SHELL, *OPTIONS, *PATHS, *TEXT]
UNPRINTABLE = ["a\nb", "a\x00b", "a\tb", "\u202e", "\u2028", "a\rb", "\x1b[31m", "\ud800", "", "x" * 201]
